//! Linked into a filter, this tells the host harness what the filter allocates, callback by callback.
//!
//! It is the filter's global allocator: the default one, and a counter. The filter that ships has no use for it, so it is
//! linked into a module of its own, which holds two lines:
//!
//! ```ignore
//! use count_allocations as _;
//! use my_filter as _;
//! ```
#![allow(
    unsafe_code,
    reason = "an allocator is unsafe, and so is a name for the host"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Counting;

impl Counting {
    fn count() {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

// SAFETY: the default allocator does everything.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller's promise.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(block, layout) }
    }
}

/// How often memory was allocated or moved so far. The harness calls this around every callback.
#[unsafe(no_mangle)]
extern "C" fn harness_allocations() -> u64 {
    COUNT.load(Ordering::Relaxed)
}
