//! A native filter that panics. It has a binary of its own, as no other native filter can start in
//! the process afterwards.
//!
//! It does not use libtest: the filter's thread stays in the panic hook, and libtest, which
//! replaces the hook at the end, would wait for it.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::{Sidecar, native, native_filter};
use sdk_filter as _;

fn main() {
    let failure = native::run(|| {
        let sidecar = Sidecar::inbound(&native_filter!()).start().unwrap();
        sidecar.connect().client.write("panic");
    });
    let message = failure.unwrap_err().to_string();
    assert!(message.contains("asked to"), "{message}");
    assert_eq!(native::run(|| ()), Err(native::NativeFailure::Poisoned));
}
