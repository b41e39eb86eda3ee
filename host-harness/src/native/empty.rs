//! A filter without behaviour.

use crate::module::{Exports, Module};

/// Returns a linked filter whose callbacks do nothing: a baseline for measurements.
pub fn empty() -> Module {
    Module::native(empty_exports())
}

/// The functions of [`empty`], for a filter that replaces some of them.
#[doc(hidden)]
pub fn empty_exports() -> Exports {
    Exports {
        initialize,
        allocate,
        context_create: two,
        vm_start: start,
        configure: start,
        tick: one,
        queue_ready: two,
        new_connection,
        downstream_data: data,
        upstream_data: data,
        downstream_close: two,
        upstream_close: two,
        done,
        log: one,
        delete: one,
    }
}

extern "C" fn initialize() {}

/// Leaks the memory to the host, as an SDK does. Only a configuration makes the host allocate.
extern "C" fn allocate(size: usize) -> *mut u8 {
    vec![0; size].leak().as_mut_ptr()
}

extern "C" fn one(_: u32) {}

extern "C" fn two(_: u32, _: u32) {}

extern "C" fn start(_: u32, _: usize) -> bool {
    true
}

extern "C" fn new_connection(_: u32) -> u32 {
    0
}

extern "C" fn data(_: u32, _: usize, _: bool) -> u32 {
    0
}

extern "C" fn done(_: u32) -> bool {
    true
}
