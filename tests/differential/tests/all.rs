//! The emulator compared with real Envoy: short runs of `cargo differential`, and named rules.

mod exchanges;
mod features;
mod named;
mod named_programs;
mod programs;
mod random;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Waits until no other test of this program runs. An Envoy that another test starts has copies of
/// this test's sockets until its program runs, so that a socket that is closed here stays open.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}
