//! One filter of a connection's chain.

use std::cell::RefCell;
use std::rc::Rc;

use crate::abi::{BufferType, Callback, PeerType};
use crate::host::{Deferred, FilterContext, Stream};
use crate::worker::{Called, Worker};

/// The decision of a filter about a new connection, by the state of its VM.
pub(crate) enum Admission {
    /// The filter of this worker gets the connection.
    Filtered(Rc<Worker>),
    /// The connection bypasses the filter.
    PassThrough,
    /// The connection is closed.
    Refused,
}

/// The result of a callback that controls the iteration through the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterStatus {
    Continue,
    StopIteration,
}

/// A filter in one connection. Envoy: `Wasm::Context`, created when the iteration first reaches the
/// filter.
pub(super) struct Filter {
    worker: Rc<Worker>,
    /// The newest root at the time of the accept.
    root: u32,
    /// The stream context. It remains after `proxy_on_delete` until the current event is complete:
    /// a filter that closes in the last `proxy_on_upstream_data` gets
    /// `proxy_on_upstream_connection_close` after it.
    context: Option<u32>,
}

impl Filter {
    pub(super) fn new(worker: Rc<Worker>) -> Self {
        Self {
            root: worker.root(),
            worker,
            context: None,
        }
    }

    /// The iteration has reached the filter before.
    pub(super) fn is_initialized(&self) -> bool {
        self.context.is_some()
    }

    /// Creates the stream context. Returns its root; `None` if the root does not exist any more.
    pub(super) fn initialize(&mut self, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        self.context = self.worker.open_stream(self.root, stream);
        self.context.map(|_| self.root)
    }

    pub(super) fn is_failed(&self) -> bool {
        self.worker.is_dead()
    }

    /// Whether a newer root serves new connections.
    pub(super) fn is_draining(&self) -> bool {
        self.root != self.worker.root()
    }

    pub(super) fn is(&self, filter: FilterContext) -> bool {
        self.worker.vm() == filter.vm && self.context == Some(filter.context)
    }

    /// Calls the stream context, if it exists.
    pub(super) fn call(&self, callback: impl FnOnce(u32) -> Callback) -> Option<Called> {
        Some(self.worker.call(callback(self.context?)))
    }

    /// Makes one of the data buffers accessible to the filter, or inaccessible.
    pub(super) fn set_accessible(&self, buffer: BufferType, accessible: bool) {
        if let Some(context) = self.context {
            self.worker.set_accessible(context, buffer, accessible);
        }
    }

    /// Ends the stream context: the downstream connection is closed.
    pub(super) fn end(&self, peer: PeerType) -> Vec<Deferred> {
        let context = self.context.into_iter();
        context
            .flat_map(|context| self.worker.end_stream(context, peer))
            .collect()
    }

    /// Removes the host's context.
    pub(super) fn remove(&mut self) {
        if let Some(context) = self.context.take() {
            self.worker.remove_stream(context);
        }
    }
}
