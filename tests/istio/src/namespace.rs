//! Enters network namespaces.

use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::panic::resume_unwind;
use std::path::Path;
use std::thread;

use mesh::error::Context;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::error::Result;

/// Runs `work` in the network namespace of this file, with the threads and processes that it
/// starts.
///
/// # Errors
/// The namespace cannot be entered, or `work` failed.
pub fn inside<T: Send>(namespace: &Path, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let enter = || {
        let file = File::open(namespace)?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))?;
        Ok(())
    };
    thread::scope(|scope| {
        let run = || {
            let entered: io::Result<()> = enter();
            entered.context(|| format!("cannot enter {}", namespace.display()))?;
            work()
        };
        scope
            .spawn(run)
            .join()
            .unwrap_or_else(|panic| resume_unwind(panic))
    })
}
