//! One filter of a connection's chain.

mod own;
mod wasm;

use std::cell::RefCell;
use std::rc::Rc;

pub(super) use own::OwnFilter;
pub(crate) use own::{CLUSTER_KEY, Count};
pub(super) use wasm::WasmFilter;

use crate::abi::{BufferType, Callback, PeerType};
use crate::chain::EnvoyFilter;
use crate::host::{Deferred, FilterContext, Stream};
use crate::worker::{Called, Worker};

/// The part of a filter chain in a new connection.
pub(crate) enum Admission {
    /// The filter of this worker gets the connection.
    Filtered(Rc<Worker>),
    /// The connection bypasses the filter.
    PassThrough,
    /// The connection is closed when the iteration reaches the filter.
    Refused,
    /// One of Envoy's own filters, and the connections that it has.
    Own(EnvoyFilter, Count),
}

/// The result of a callback that controls the iteration through the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FilterStatus {
    Continue,
    StopIteration,
}

/// A filter in one connection.
pub(super) enum Filter {
    Wasm(WasmFilter),
    Own(OwnFilter),
    /// A wasm filter without a VM, whose failure policy closes new connections.
    Refusing,
}

impl Filter {
    /// The filter of a new connection; `None` if the connection bypasses it.
    pub(super) fn new(admission: Admission, stream: &Rc<RefCell<Stream>>) -> Option<Self> {
        match admission {
            Admission::Filtered(worker) => {
                Some(Self::Wasm(WasmFilter::new(worker, stream.clone())))
            }
            Admission::Own(filter, count) => Some(Self::Own(OwnFilter::new(filter, count))),
            Admission::Refused => Some(Self::Refusing),
            Admission::PassThrough => None,
        }
    }

    fn wasm(&self) -> Option<&WasmFilter> {
        match self {
            Self::Wasm(filter) => Some(filter),
            Self::Own(_) | Self::Refusing => None,
        }
    }

    /// The iteration has reached the wasm filter before.
    pub(super) fn is_initialized(&self) -> bool {
        self.wasm().is_none_or(WasmFilter::is_initialized)
    }

    /// Creates the stream context in the VM. Returns its root; `None` if the root does not exist any
    /// more.
    pub(super) fn initialize(&mut self) -> Option<u32> {
        match self {
            Self::Wasm(filter) => filter.initialize(),
            Self::Own(_) | Self::Refusing => None,
        }
    }

    pub(super) fn is_dead(&self) -> bool {
        self.wasm().is_some_and(WasmFilter::is_dead)
    }

    pub(super) fn is(&self, filter: FilterContext) -> bool {
        self.wasm().is_some_and(|own| own.is(filter))
    }

    /// Calls the stream context, if it exists.
    pub(super) fn call(&self, callback: impl FnOnce(u32) -> Callback) -> Option<Called> {
        self.wasm()?.call(callback)
    }

    /// Makes one of the data buffers accessible to the filter, or inaccessible.
    pub(super) fn set_accessible(&self, buffer: BufferType, accessible: bool) {
        if let Some(filter) = self.wasm() {
            filter.set_accessible(buffer, accessible);
        }
    }

    /// Ends the stream context: the downstream connection is closed.
    pub(super) fn end(&mut self, peer: PeerType) -> Vec<Deferred> {
        match self {
            Self::Wasm(filter) => filter.end(peer),
            Self::Own(filter) => {
                filter.end();
                Vec::new()
            }
            Self::Refusing => Vec::new(),
        }
    }

    /// Removes the host's context.
    pub(super) fn remove(&mut self) {
        if let Self::Wasm(filter) = self {
            filter.remove();
        }
    }
}
