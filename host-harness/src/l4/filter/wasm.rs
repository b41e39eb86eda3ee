//! A wasm filter in one connection.

use std::cell::RefCell;
use std::rc::Rc;

use crate::abi::{BufferType, Callback, PeerType};
use crate::host::{Deferred, FilterContext, Stream};
use crate::worker::{Called, Worker};

/// A filter in one connection. Envoy: `Wasm::Context`, created when the iteration first reaches the
/// filter.
pub(in crate::l4) struct WasmFilter {
    worker: Rc<Worker>,
    /// The newest root at the time of the accept.
    root: u32,
    /// The stream context. It remains after `proxy_on_delete` until the current event is complete:
    /// a filter that closes in the last `proxy_on_upstream_data` gets
    /// `proxy_on_upstream_connection_close` after it.
    context: Option<u32>,
}

impl WasmFilter {
    pub(super) fn new(worker: Rc<Worker>) -> Self {
        Self {
            root: worker.root(),
            worker,
            context: None,
        }
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.context.is_some()
    }

    pub(super) fn initialize(&mut self, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        self.context = self.worker.open_stream(self.root, stream);
        self.context.map(|_| self.root)
    }

    pub(super) fn is_failed(&self) -> bool {
        self.worker.is_failed()
    }

    pub(super) fn is_draining(&self) -> bool {
        self.root != self.worker.root()
    }

    pub(super) fn is(&self, filter: FilterContext) -> bool {
        self.worker.vm() == filter.vm && self.context == Some(filter.context)
    }

    pub(super) fn call(&self, callback: impl FnOnce(u32) -> Callback) -> Option<Called> {
        Some(self.worker.call(callback(self.context?)))
    }

    pub(super) fn set_accessible(&self, buffer: BufferType, accessible: bool) {
        if let Some(context) = self.context {
            self.worker.set_accessible(context, buffer, accessible);
        }
    }

    pub(super) fn end(&self, peer: PeerType) -> Vec<Deferred> {
        let context = self.context.into_iter();
        context
            .flat_map(|context| self.worker.end_stream(context, peer))
            .collect()
    }

    pub(super) fn remove(&mut self) {
        if let Some(context) = self.context.take() {
            self.worker.remove_stream(context);
        }
    }
}
