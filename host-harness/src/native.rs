//! The native back end: a filter linked into the test itself, with an unmodified SDK.
//!
//! The SDK declares host functions as `extern "C" fn proxy_*`; this crate defines them. The SDK
//! exports its callbacks as `proxy_on_*`; [`native_filter!`](crate::native_filter) finds them at
//! link time. So the filter's source runs under a debugger, a sanitizer, a fuzzer or a coverage
//! tool, without a .wasm.
//!
//! The SDK keeps its contexts in thread-local state: **one thread is one VM**, and two filters
//! cannot be linked into one binary. Several sidecars in one thread share that VM, as two listeners
//! with one `vm_id` do in Envoy.
//!
//! A panic of a filter cannot unwind through `extern "C"`; it would abort the process. [`run`]
//! therefore runs the test in a thread of its own, and turns a panic of the filter, or a status
//! without a name in the SDK, into an error.

mod empty;
mod linked;

#[doc(hidden)]
pub use crate::module::Exports;
pub use crate::vm::{NativeFailure, run};
pub use empty::empty;
#[doc(hidden)]
pub use empty::empty_exports;
