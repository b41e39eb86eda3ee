//! Surviving a filter that panics where unwinding is not possible.

use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::thread;

/// Why a native run did not come to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NativeFailure {
    /// The filter panicked, or was about to be handed a status that its SDK has no name for.
    #[error("the filter failed: {0}")]
    Filter(String),
    /// A filter has panicked in this process before.
    #[error(
        "a native filter has panicked in this process, so no other can start: fix that one first, or run the tests \
         in a process each"
    )]
    Poisoned,
    /// The test itself panicked.
    #[error("the test panicked")]
    Test,
    /// There is no thread to be had.
    #[error("cannot start a thread: {0}")]
    Thread(String),
}

thread_local! {
    static SUPERVISOR: RefCell<Option<Sender<String>>> = const { RefCell::new(None) };
    static IN_FILTER: Cell<bool> = const { Cell::new(false) };
}

/// The hook that was there before any filter was: for panics that are not a filter's.
static ORIGINAL: OnceLock<Hook> = OnceLock::new();

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// A filter has panicked: its thread waits within the panic hook for good, so hooks cannot be changed any more.
static HOOK_TAKEN: AtomicBool = AtomicBool::new(false);

/// Runs a test in a thread of its own: its own VM, whose failure is an error.
///
/// # Errors
/// See [`NativeFailure`]. The thread of a filter that failed never goes on, as its frames cannot be unwound. After a panic
/// of a filter no other native filter can start in this process.
pub fn run<T: Send + 'static>(
    test: impl FnOnce() -> T + Send + 'static,
) -> Result<T, NativeFailure> {
    if HOOK_TAKEN.load(Ordering::SeqCst) {
        return Err(NativeFailure::Poisoned);
    }
    watch();
    let (failed, failure) = channel();
    let (finished, result) = channel();
    let test = move || {
        SUPERVISOR.set(Some(failed));
        let value = test();
        finished.send(value).ok();
        // Dropped here and on unwinding: whoever waits for a failure knows there will be none.
        SUPERVISOR.set(None);
    };
    let builder = thread::Builder::new().name("native-filter".into());
    builder
        .spawn(test)
        .map_err(|error| NativeFailure::Thread(error.to_string()))?;
    match failure.recv() {
        Ok(message) => Err(NativeFailure::Filter(message)),
        Err(_) => result.recv().map_err(|_| NativeFailure::Test),
    }
}

/// Runs a callback; a panic meanwhile is the filter's.
pub(super) fn inside<T>(callback: impl FnOnce() -> T) -> T {
    IN_FILTER.set(true);
    let result = callback();
    IN_FILTER.set(false);
    result
}

/// Ends the filter without returning to it. Without a supervisor this is a panic, which aborts.
#[allow(clippy::panic, reason = "there is nobody to return an error to")]
pub(super) fn fail(message: String) -> ! {
    stop(&message);
    panic!("{message}")
}

/// A supervised thread in a filter reports the failure and stays here for good.
fn stop(message: &str) {
    let supervisor = SUPERVISOR
        .try_with(|supervisor| supervisor.borrow().clone())
        .ok()
        .flatten();
    let Some(supervisor) = supervisor.filter(|_| IN_FILTER.get()) else {
        return;
    };
    if supervisor.send(message.to_owned()).is_ok() {
        loop {
            thread::park();
        }
    }
}

/// Has panics of filters reported to their supervisor. Again after a filter was initialised: the Rust SDK installs a hook
/// of its own there, which would log to a host that is not listening.
pub(super) fn watch() {
    ORIGINAL.get_or_init(take_hook);
    set_hook(Box::new(|panic| {
        HOOK_TAKEN.fetch_or(IN_FILTER.get(), Ordering::SeqCst);
        stop(&panic.to_string());
        if let Some(original) = ORIGINAL.get() {
            original(panic);
        }
    }));
}
