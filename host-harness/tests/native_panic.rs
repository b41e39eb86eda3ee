//! A filter that panics natively. In a binary of its own: it is the last thing a process does with native filters.
#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::{Sidecar, native, native_filter};
use sdk_filter as _;

#[test]
fn a_panic_of_the_filter_is_an_error() {
    let failure = native::run(|| {
        let sidecar = Sidecar::inbound(&native_filter!()).start().unwrap();
        sidecar.connect().client.write("panic");
    });
    let message = failure.unwrap_err().to_string();
    assert!(message.contains("asked to"), "{message}");
    assert_eq!(native::run(|| ()), Err(native::NativeFailure::Poisoned));
}
