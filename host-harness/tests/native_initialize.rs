//! A native filter that panics in its initialisation while another one waits for its own. As
//! `native_panic`, it has a binary of its own and does not use libtest.
#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed expectation of a test"
)]

use std::sync::Barrier;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use host_harness::native::{self, Exports};
use host_harness::{Module, Sidecar};

/// The filter that panics is initialising.
static INITIALIZING: Barrier = Barrier::new(2);

extern "C" fn panics() {
    INITIALIZING.wait();
    // The other filter reaches its initialisation meanwhile.
    thread::sleep(Duration::from_millis(300));
    panic!("on purpose");
}

fn start(exports: Exports) -> Result<(), native::NativeFailure> {
    native::run(move || drop(Sidecar::inbound(&Module::native(exports)).start()))
}

fn main() {
    let (ended, failures) = channel();
    let waiting = ended.clone();
    thread::spawn(move || {
        let mut exports = native::empty_exports();
        exports.initialize = panics;
        ended.send(start(exports).unwrap_err().to_string()).unwrap();
    });
    thread::spawn(move || {
        INITIALIZING.wait();
        let failure = start(native::empty_exports()).unwrap_err();
        waiting.send(failure.to_string()).unwrap();
    });
    let failure = || failures.recv_timeout(Duration::from_secs(30)).unwrap();
    let both = [failure(), failure()].concat();
    assert!(both.contains("on purpose"), "{both}");
    assert!(both.contains("a native filter has panicked"), "{both}");
}
