//! One filter of a connection's chain.

use crate::abi::{BufferType, PeerType};
use crate::host::{Deferred, FilterContext, Stream};
use crate::vm::Callback;
use crate::worker::{Called, Worker};
use std::cell::RefCell;
use std::rc::Rc;

/// A filter's part in one connection. Envoy: `Wasm::Context`, created when the filter's turn first comes.
pub(super) struct Filter {
    worker: Rc<Worker>,
    /// The root that was the newest one when the connection was accepted.
    root: u32,
    /// The stream context. It outlives `proxy_on_delete` until the event that led to it is dealt with: a filter that
    /// closes in the last `proxy_on_upstream_data` gets `proxy_on_upstream_connection_close` after it.
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

    /// Its turn has come before.
    pub(super) fn is_initialized(&self) -> bool {
        self.context.is_some()
    }

    /// Creates the stream context; the root it belongs to, unless there is none any more.
    pub(super) fn initialize(&mut self, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        self.context = self.worker.open_stream(self.root, stream);
        self.context.map(|_| self.root)
    }

    pub(super) fn is_failed(&self) -> bool {
        self.worker.is_failed()
    }

    /// A newer root serves new connections.
    pub(super) fn is_draining(&self) -> bool {
        self.root != self.worker.root()
    }

    pub(super) fn is(&self, filter: FilterContext) -> bool {
        self.worker.vm() == filter.vm && self.context == Some(filter.context)
    }

    /// A callback into the stream context, if there is one.
    pub(super) fn call(&self, callback: impl FnOnce(u32) -> Callback) -> Option<Called> {
        Some(self.worker.call(callback(self.context?)))
    }

    /// Lets the filter reach one of the data buffers, or not any more.
    pub(super) fn show(&self, which: BufferType, shown: bool) {
        if let Some(context) = self.context {
            self.worker.show(context, which, shown);
        }
    }

    /// The downstream connection is closed.
    pub(super) fn end(&self, peer: PeerType) -> Vec<Deferred> {
        let context = self.context.into_iter();
        context
            .flat_map(|context| self.worker.end_stream(context, peer))
            .collect()
    }

    /// The host's side of the stream context is gone too.
    pub(super) fn forget(&mut self) {
        if let Some(context) = self.context.take() {
            self.worker.forget_stream(context);
        }
    }
}
