//! The exported functions of a linked filter.

/// The exported functions, as [`native_filter!`](crate::native_filter) collects them.
#[derive(Debug, Clone, Copy)]
#[allow(missing_docs, reason = "the names are the ABI's")]
#[doc(hidden)]
pub struct Exports {
    pub initialize: extern "C" fn(),
    pub allocate: extern "C" fn(usize) -> *mut u8,
    pub context_create: extern "C" fn(u32, u32),
    pub vm_start: extern "C" fn(u32, usize) -> bool,
    pub configure: extern "C" fn(u32, usize) -> bool,
    pub tick: extern "C" fn(u32),
    pub queue_ready: extern "C" fn(u32, u32),
    pub new_connection: extern "C" fn(u32) -> u32,
    pub downstream_data: extern "C" fn(u32, usize, bool) -> u32,
    pub upstream_data: extern "C" fn(u32, usize, bool) -> u32,
    pub downstream_close: extern "C" fn(u32, u32),
    pub upstream_close: extern "C" fn(u32, u32),
    pub done: extern "C" fn(u32) -> bool,
    pub log: extern "C" fn(u32),
    pub delete: extern "C" fn(u32),
}
