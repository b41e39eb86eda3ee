//! Signals that end the demo.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::INTERRUPTED;
use mesh::error::{Error, Result};
use mesh::progress;

/// Whether a signal requested the end of the demo.
#[derive(Clone, Debug, Default)]
pub(super) struct Interrupt {
    came: Arc<AtomicBool>,
}

impl Interrupt {
    /// Handles SIGINT, SIGTERM and SIGHUP. The first ends the demo in order. At the second the
    /// process exits, and the kernel ends its children.
    pub(super) fn listen(&self) -> Result<()> {
        let came = Arc::clone(&self.came);
        let handler = move || {
            if came.swap(true, Ordering::SeqCst) {
                process::exit(i32::from(INTERRUPTED));
            }
            progress::say("stopping");
        };
        ctrlc::set_handler(handler).map_err(|error| Error::malformed("the signal set-up", error))
    }

    pub(super) fn came(&self) -> bool {
        self.came.load(Ordering::SeqCst)
    }

    /// Fails if a signal came.
    pub(super) fn check(&self) -> Result<()> {
        if self.came() {
            Err(Error::Interrupted)
        } else {
            Ok(())
        }
    }

    /// Waits for `time` or for a signal. Returns whether no signal came.
    pub(super) fn is_awaited_for(&self, time: Duration) -> bool {
        let until = Instant::now() + time;
        while !self.came() && Instant::now() < until {
            thread::sleep(Duration::from_millis(50));
        }
        !self.came()
    }
}
