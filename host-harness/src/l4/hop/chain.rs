//! The iteration of a hop through the filters of the chain.

use super::Hop;
use crate::abi::{BufferType, Callback, PeerType, length};
use crate::l4::filter::{Filter, FilterStatus};
use crate::l4::segment::Ending;
use crate::worker::Called;

/// `Action::Continue`; everything else stops the iteration.
const CONTINUE: u32 = 0;

impl Hop {
    /// Runs the filters from this one on until one stops, then tcp_proxy. Envoy:
    /// `FilterManagerImpl::onContinueReading`.
    pub(super) fn run_read_filters(&mut self, first: usize) {
        for filter in first..self.filters.len() {
            if self.read_filter(filter) == FilterStatus::StopIteration || !self.downstream.open {
                return;
            }
        }
        self.tcp_proxy_on_data();
    }

    /// Creates the filter if the iteration reaches it for the first time. Then passes the whole
    /// read buffer to it, also bytes that the filter has seen before. An empty buffer is passed
    /// only at the end of the stream.
    fn read_filter(&mut self, filter: usize) -> FilterStatus {
        if let Some(is_open) = self.read_own_filter(filter) {
            if is_open {
                return FilterStatus::Continue;
            }
            self.close_downstream(PeerType::Local, Ending::End);
            return FilterStatus::StopIteration;
        }
        if self.initialize(filter) == FilterStatus::StopIteration || !self.downstream.open {
            return FilterStatus::StopIteration;
        }
        let size = length(self.stream.borrow().downstream.len());
        let end_of_stream = self.downstream.read_end;
        if size == 0 && !end_of_stream {
            return FilterStatus::Continue;
        }
        self.pass(filter, BufferType::DownstreamData, |context| {
            Callback::DownstreamData {
                context,
                size,
                end_of_stream,
            }
        })
    }

    /// Passes the event to a filter that is none of wasm, and returns whether the connection stays
    /// open; `None` for a wasm filter.
    fn read_own_filter(&mut self, filter: usize) -> Option<bool> {
        let own = match self.filters.get_mut(filter)? {
            Filter::Wasm(_) => return None,
            Filter::Refusing => return Some(false),
            Filter::Own(own) => own,
        };
        let stream = &mut *self.stream.borrow_mut();
        if !own.open(&mut stream.info) {
            return Some(false);
        }
        let is_event = stream.downstream.len() > 0 || self.downstream.read_end;
        Some(!is_event || own.data(&stream.info))
    }

    fn initialize(&mut self, filter: usize) -> FilterStatus {
        let Some(uninitialized) = self
            .filters
            .get_mut(filter)
            .filter(|filter| !filter.is_initialized())
        else {
            return FilterStatus::Continue;
        };
        let Some(parent) = uninitialized.initialize() else {
            return FilterStatus::StopIteration;
        };
        self.call(filter, |context| Callback::ContextCreate {
            context,
            parent,
        });
        self.ask(filter, |context| Callback::NewConnection { context })
    }

    /// Runs the filters in reverse order until one stops. Unlike on the read path, an empty buffer
    /// is passed to all of them, and there is no resume. Envoy: `FilterManagerImpl::onWrite`.
    pub(super) fn run_write_filters(&mut self, end_of_stream: bool) -> FilterStatus {
        for filter in (0..self.filters.len()).rev() {
            let status = self.write_filter(filter, end_of_stream);
            if status == FilterStatus::StopIteration || !self.downstream.open {
                return FilterStatus::StopIteration;
            }
        }
        FilterStatus::Continue
    }

    fn write_filter(&mut self, filter: usize, end_of_stream: bool) -> FilterStatus {
        let size = length(self.stream.borrow().upstream.len());
        let status = self.pass(filter, BufferType::UpstreamData, |context| {
            Callback::UpstreamData {
                context,
                size,
                end_of_stream,
            }
        });
        if end_of_stream {
            let peer = PeerType::Unknown as u32;
            self.call(filter, |context| Callback::UpstreamClose { context, peer });
        }
        status
    }

    /// Calls a filter with a data buffer, which it can access until it returns Continue.
    fn pass(
        &mut self,
        filter: usize,
        buffer: BufferType,
        callback: impl FnOnce(u32) -> Callback,
    ) -> FilterStatus {
        self.set_accessible(filter, buffer, true);
        let status = self.ask(filter, callback);
        if status == FilterStatus::Continue {
            self.set_accessible(filter, buffer, false);
        }
        status
    }

    fn set_accessible(&self, filter: usize, buffer: BufferType, accessible: bool) {
        if let Some(filter) = self.filters.get(filter) {
            filter.set_accessible(buffer, accessible);
        }
    }

    /// Calls a filter; its result controls the iteration. A failed VM closes the connection.
    fn ask(&mut self, filter: usize, callback: impl FnOnce(u32) -> Callback) -> FilterStatus {
        let Some(result) = self.call(filter, callback) else {
            return FilterStatus::Continue;
        };
        if self.filters.get(filter).is_some_and(Filter::is_dead) {
            self.close_downstream(PeerType::Local, Ending::End);
            return FilterStatus::StopIteration;
        }
        match result {
            Some(CONTINUE) | None => FilterStatus::Continue,
            Some(_) => FilterStatus::StopIteration,
        }
    }

    /// Calls a filter's context and returns the result. The outer `None`: there is no context.
    fn call(
        &mut self,
        filter: usize,
        callback: impl FnOnce(u32) -> Callback,
    ) -> Option<Option<u32>> {
        let Called { result, deferred } = self.filters.get(filter)?.call(callback)?;
        self.defer(deferred);
        Some(result)
    }
}
