//! The native back end: a filter linked into the test itself, with an unmodified SDK.
//!
//! The SDK declares host functions as `extern "C" fn proxy_*`; this crate defines them. The SDK exports its callbacks as
//! `proxy_on_*`; [`native_filter!`](crate::native_filter) finds them at link time. So the same filter source runs under a
//! debugger, a sanitizer, a fuzzer or a coverage tool, without a .wasm.
//!
//! The SDK keeps its contexts in thread-local state: **one thread is one VM**, and two filters cannot be linked into one
//! binary. Several sidecars in one thread share that VM, as two listeners with one `vm_id` do in Envoy.
//!
//! A filter that panics cannot be unwound through `extern "C"`: it would abort the process. [`run`] therefore gives the
//! test a thread of its own and turns a panic of the filter, or a status the SDK has no name for, into an error.

mod empty;
mod filter;
mod glue;
mod supervisor;

pub use empty::empty;
pub use filter::Filter;
pub(crate) use glue::NativeVm;
pub use supervisor::{NativeFailure, run};
