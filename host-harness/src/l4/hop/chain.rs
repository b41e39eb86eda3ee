//! A connection's way through the filters of the chain.

use super::filter::Filter;
use super::{Ending, Hop};
use crate::abi::{BufferType, PeerType};
use crate::vm::Callback;
use crate::worker::{Called, length};

/// `Action::Continue`; everything else stops the iteration.
const CONTINUE: u32 = 0;

/// What the filter wants to happen with what it was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterStatus {
    Continue,
    StopIteration,
}

impl Hop {
    /// The filters from this one on, until one stops, then tcp_proxy. Envoy: `FilterManagerImpl::onContinueReading`.
    pub(super) fn run_read_filters(&mut self, first: usize) {
        for filter in first..self.filters.len() {
            if self.read_filter(filter) == FilterStatus::StopIteration || !self.downstream.open {
                return;
            }
        }
        self.tcp_proxy_on_data();
    }

    /// A filter whose turn first comes is created and asked. Then the whole read buffer is shown, whatever of it the
    /// filter has seen before; an empty one only when it is the last.
    fn read_filter(&mut self, filter: usize) -> FilterStatus {
        if self.initialize(filter) == FilterStatus::StopIteration || !self.downstream.open {
            return FilterStatus::StopIteration;
        }
        let size = length(self.stream.borrow().downstream.len());
        let end_of_stream = self.downstream.read_end;
        if size == 0 && !end_of_stream {
            return FilterStatus::Continue;
        }
        self.show(filter, BufferType::DownstreamData, |context| {
            Callback::DownstreamData {
                context,
                size,
                end_of_stream,
            }
        })
    }

    fn initialize(&mut self, filter: usize) -> FilterStatus {
        let Some(uninitialized) = self
            .filters
            .get_mut(filter)
            .filter(|filter| !filter.is_initialized())
        else {
            return FilterStatus::Continue;
        };
        let Some(parent) = uninitialized.initialize(self.stream.clone()) else {
            return FilterStatus::StopIteration;
        };
        self.call(filter, |context| Callback::ContextCreate {
            context,
            parent,
        });
        self.ask(filter, |context| Callback::NewConnection { context })
    }

    /// The filters in reverse order, until one stops. Unlike when reading, an empty buffer goes through all of them, and
    /// there is no resume. Envoy: `FilterManagerImpl::onWrite`.
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
        let status = self.show(filter, BufferType::UpstreamData, |context| {
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

    /// A callback with a data buffer, which the filter can reach until it answers Continue.
    fn show(
        &mut self,
        filter: usize,
        buffer: BufferType,
        callback: impl FnOnce(u32) -> Callback,
    ) -> FilterStatus {
        self.reach(filter, buffer, true);
        let status = self.ask(filter, callback);
        if status == FilterStatus::Continue {
            self.reach(filter, buffer, false);
        }
        status
    }

    fn reach(&self, filter: usize, buffer: BufferType, shown: bool) {
        if let Some(filter) = self.filters.get(filter) {
            filter.show(buffer, shown);
        }
    }

    /// A callback whose answer decides whether the iteration goes on. A failed VM closes the connection.
    fn ask(&mut self, filter: usize, callback: impl FnOnce(u32) -> Callback) -> FilterStatus {
        let Some(result) = self.call(filter, callback) else {
            return FilterStatus::Continue;
        };
        if self.filters.get(filter).is_some_and(Filter::is_failed) {
            self.close_downstream(PeerType::Local, Ending::End);
            return FilterStatus::StopIteration;
        }
        match result {
            Some(CONTINUE) | None => FilterStatus::Continue,
            Some(_) => FilterStatus::StopIteration,
        }
    }

    /// A callback into a filter's context, if there is one; what it returned.
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
