//! Virtual machines: one trait, two back ends.

mod caller;
mod native;
mod wasi;
mod wasm;

pub(crate) use native::NativeVm;
pub use native::{NativeFailure, run};
pub(crate) use wasm::WasmVm;

use crate::abi::{Callback, CallbackOutcome};
use crate::failure::{FailureKind, FilterFailure};

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

/// The end of a VM in one of its functions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trap {
    pub(crate) function: &'static str,
    /// No fuel was left, in place of any other trap.
    pub(crate) is_hang: bool,
    pub(crate) reason: String,
    /// The functions that were running, the innermost first.
    pub(crate) backtrace: Vec<String>,
    /// The fuel that the function consumed.
    pub(crate) fuel: u64,
}

impl Trap {
    /// The line that Envoy logs.
    pub(crate) fn log_line(&self) -> String {
        let Self {
            function, reason, ..
        } = self;
        let frames = self.backtrace.iter();
        let frames: String = frames.map(|frame| format!("\n  {frame}")).collect();
        let title = match frames.is_empty() {
            true => "",
            false => "\nProxy-Wasm plugin in-VM backtrace:",
        };
        format!("Function: {function} failed: {reason}{title}{frames}")
    }

    /// The failure, without log lines.
    pub(crate) fn into_failure(self) -> FilterFailure {
        let kind = match self.is_hang {
            true => FailureKind::Hang,
            false => FailureKind::Trap,
        };
        FilterFailure::new(kind, self.function, self.reason).backtrace(self.backtrace)
    }
}
