//! Counts the allocations of a filter for the host harness.
//!
//! The crate defines the filter's global allocator: the default one with a counter. The shipped
//! filter does not need it, so link it into a separate module with two lines:
//!
//! ```ignore
//! use count_allocations as _;
//! use my_filter as _;
//! ```
#![allow(unsafe_code, reason = "an allocator is unsafe, and so is an export")]

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

// SAFETY: all calls are forwarded to the default allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller guarantees the contract of the default allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::count();
        // SAFETY: the caller guarantees the contract of the default allocator.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count();
        // SAFETY: the caller guarantees the contract of the default allocator.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the caller guarantees the contract of the default allocator.
        unsafe { System.dealloc(block, layout) }
    }
}

/// Returns the number of allocations and reallocations. The harness calls it around every callback.
#[unsafe(no_mangle)]
extern "C" fn harness_allocations() -> u64 {
    COUNT.load(Ordering::Relaxed)
}
