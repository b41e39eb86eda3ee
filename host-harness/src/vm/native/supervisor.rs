//! Containment of a filter's panic where unwinding is not possible.

use std::cell::{Cell, RefCell};
use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, OnceLock, TryLockError};
use std::thread;
use std::time::Duration;

/// The reason why a native run did not complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NativeFailure {
    /// The filter panicked, or a host function was about to return a status without a name in the
    /// SDK.
    #[error("the filter failed: {0}")]
    Filter(String),
    /// Another filter has panicked in this process.
    #[error(
        "a native filter has panicked in this process, so no other can start: fix that one first, or run the tests \
         in a process each"
    )]
    Poisoned,
    /// The test itself panicked.
    #[error("the test panicked")]
    Test,
    /// A thread cannot be started.
    #[error("cannot start a thread: {0}")]
    Thread(String),
}

thread_local! {
    static SUPERVISOR: RefCell<Option<Sender<String>>> = const { RefCell::new(None) };
    static IN_FILTER: Cell<bool> = const { Cell::new(false) };
}

/// The panic hook before the first filter, for panics outside of filters.
static ORIGINAL: OnceLock<Hook> = OnceLock::new();

type Hook = Box<dyn Fn(&PanicHookInfo<'_>) + Send + Sync>;

/// A filter has panicked. Its thread stays in the panic hook, so the hook cannot be changed any
/// more.
static HOOK_TAKEN: AtomicBool = AtomicBool::new(false);

/// Runs a test in a thread of its own, which is a VM of its own. A failure of the filter is an
/// error.
///
/// # Errors
/// See [`NativeFailure`]. The thread of a failed filter never continues, as its frames cannot
/// unwind. After a panic of a filter no other native filter can start in this process.
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
        // Dropped here or by unwinding: the receiver stops waiting for a failure.
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

/// Held while a filter initialises.
static INITIALIZING: Mutex<()> = Mutex::new(());

/// Runs the initialisation of a filter, one at a time: the Rust SDK sets the logger and a panic hook
/// in it, and panics if two threads do that at the same time.
///
/// If another filter has panicked, this one fails. The other thread may hold the lock forever.
pub(super) fn initialize(callback: impl FnOnce()) {
    let _one_at_a_time = loop {
        if HOOK_TAKEN.load(Ordering::SeqCst) {
            in_filter(|| fail(NativeFailure::Poisoned.to_string()));
        }
        match INITIALIZING.try_lock() {
            Ok(guard) => break guard,
            Err(TryLockError::Poisoned(poisoned)) => break poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => thread::sleep(Duration::from_millis(1)),
        }
    };
    callback();
    watch();
}

/// Runs a callback. A panic during the call is a panic of the filter.
pub(super) fn in_filter<T>(callback: impl FnOnce() -> T) -> T {
    IN_FILTER.set(true);
    let result = callback();
    IN_FILTER.set(false);
    result
}

/// Ends the filter without a return to it. Without a supervisor this panics, which aborts.
#[allow(clippy::panic, reason = "no caller can take an error")]
pub(super) fn fail(message: String) -> ! {
    stop(&message);
    panic!("{message}")
}

/// Reports a failure of a filter and parks its thread forever; returns outside of a filter.
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

/// Installs a panic hook that reports panics of filters to their supervisor, in place of one that a
/// filter installed.
fn watch() {
    ORIGINAL.get_or_init(take_hook);
    set_hook(Box::new(|panic| {
        HOOK_TAKEN.fetch_or(IN_FILTER.get(), Ordering::SeqCst);
        stop(&panic.to_string());
        if let Some(original) = ORIGINAL.get() {
            original(panic);
        }
    }));
}
