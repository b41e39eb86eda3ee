//! A wasm filter in one connection.

use std::cell::RefCell;
use std::rc::Rc;

use crate::abi::{BufferType, Callback, PeerType};
use crate::host::{Deferred, FilterContext, Stream};
use crate::worker::{Called, Worker};

/// A filter in one connection. Envoy: `Wasm::Context`, which gets its id at the accept. The context
/// is created in the VM when the iteration first reaches the filter.
pub(in crate::l4) struct WasmFilter {
    worker: Rc<Worker>,
    /// The newest root at the time of the accept.
    root: u32,
    /// The stream context, which exists from the accept on. It remains after `proxy_on_delete` until
    /// the current event is complete: a filter that closes in the last `proxy_on_upstream_data` gets
    /// `proxy_on_upstream_connection_close` after it.
    context: Option<u32>,
    /// The iteration has reached the filter: the context exists in the VM.
    is_initialized: bool,
}

impl WasmFilter {
    pub(super) fn new(worker: Rc<Worker>, stream: Rc<RefCell<Stream>>) -> Self {
        let root = worker.root();
        Self {
            context: worker.open_stream(root, stream),
            root,
            worker,
            is_initialized: false,
        }
    }

    pub(super) fn is_initialized(&self) -> bool {
        self.is_initialized
    }

    pub(super) fn initialize(&mut self) -> Option<u32> {
        self.is_initialized = self.context.is_some();
        self.context.map(|_| self.root)
    }

    pub(super) fn is_dead(&self) -> bool {
        self.worker.is_dead()
    }

    pub(super) fn is(&self, filter: FilterContext) -> bool {
        self.worker.vm() == filter.vm && self.context == Some(filter.context)
    }

    pub(super) fn call(&self, callback: impl FnOnce(u32) -> Callback) -> Option<Called> {
        let context = self.context.filter(|_| self.is_initialized)?;
        Some(self.worker.call(callback(context)))
    }

    pub(super) fn set_accessible(&self, buffer: BufferType, accessible: bool) {
        if let Some(context) = self.context {
            self.worker.set_accessible(context, buffer, accessible);
        }
    }

    pub(super) fn end(&self, peer: PeerType) -> Vec<Deferred> {
        let context = self.context.filter(|_| self.is_initialized);
        context
            .into_iter()
            .flat_map(|context| self.worker.end_stream(context, peer))
            .collect()
    }

    pub(super) fn remove(&mut self) {
        if let Some(context) = self.context.take() {
            self.worker.remove_stream(context);
        }
    }
}
