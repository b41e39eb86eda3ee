//! Virtual machines: one trait, two back ends.

mod caller;
mod native;
mod wasi;
mod wasm;

pub(crate) use native::NativeVm;
pub use native::{NativeFailure, run};
pub(crate) use wasm::WasmVm;

use crate::abi::{Callback, CallbackOutcome};

/// An instance of a filter. It calls host functions while a callback runs.
pub(crate) trait Vm {
    /// Runs one callback.
    ///
    /// # Errors
    /// The filter trapped. This VM cannot be called again.
    fn call(&mut self, callback: &Callback) -> Result<CallbackOutcome, Trap>;

    /// The size of linear memory in bytes; 0 for a native filter.
    fn memory_size(&mut self) -> usize;
}

/// A trap of the filter: a panic, no fuel left, or any other.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Function: {function} failed: {reason}")]
pub(crate) struct Trap {
    pub(crate) function: &'static str,
    pub(crate) reason: String,
}
