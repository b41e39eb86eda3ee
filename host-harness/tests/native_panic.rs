//! A filter that panics natively. In a binary of its own: it is the last thing a process does with native filters.
//!
//! And without the test harness: the filter's thread stays in the panic hook for good, and libtest, which takes the hook
//! when all is done, would wait for it.
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
