//! Virtual machines: one trait, two ways to run a filter.

mod callback;
mod wasi;
mod wasm;

pub(crate) use callback::Callback;
pub(crate) use wasm::WasmVm;

/// A filter, instantiated. It calls its host functions while a callback runs.
pub(crate) trait Vm {
    /// Runs one callback; `None` if the filter does not export it, or it returns nothing.
    ///
    /// # Errors
    /// The filter trapped: this VM cannot be called again.
    fn call(&mut self, callback: &Callback) -> Result<Outcome, Trap>;

    /// Bytes of linear memory, 0 where the filter has none of its own.
    fn memory_size(&mut self) -> usize;
}

/// How a callback ended.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Outcome {
    /// The filter exports this callback.
    pub(crate) exported: bool,
    pub(crate) result: Option<u32>,
    pub(crate) fuel: u64,
    /// What the filter allocated, if it counts that.
    pub(crate) allocations: u64,
}

/// A filter that panicked, ran out of fuel, or otherwise trapped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Function: {function} failed: {reason}")]
pub(crate) struct Trap {
    pub(crate) function: &'static str,
    pub(crate) reason: String,
}
