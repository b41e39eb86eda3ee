//! Ends a child process together with this process.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Sender};
use std::thread;

use rustix::io::Errno;
use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// The thread that spawned a child. The kernel sends the parent-death signal when the spawning
/// *thread* ends, so this thread waits until the owner drops the value. The thread that starts a
/// child may therefore end before its owner.
#[derive(Debug)]
pub(super) struct Keeper {
    _release: Sender<()>,
}

impl Keeper {
    pub(super) fn spawn(mut command: Command, signal: Signal) -> io::Result<(Child, Self)> {
        let (spawned, child) = mpsc::channel();
        let (release, released) = mpsc::channel();
        thread::Builder::new()
            .name("keeper".into())
            .spawn(move || {
                die_with_parent(&mut command, signal);
                let child = command.spawn();
                // Closes this side's ends of the child's pipes and files.
                drop(command);
                if spawned.send(child).is_ok() {
                    let _released = released.recv();
                }
            })?;
        let child = child.recv().map_err(io::Error::other)??;
        Ok((child, Self { _release: release }))
    }
}

/// Requests that the kernel sends `signal` to the child when the thread that spawns it ends. A
/// change of user does not cancel the request, because the standard library changes the user before
/// it.
#[allow(unsafe_code)]
pub fn die_with_parent(command: &mut Command, signal: Signal) {
    let parent = getpid();
    let request = move || {
        set_parent_process_death_signal(Some(signal))?;
        // The parent may have ended before the request.
        if getppid() == Some(parent) {
            Ok(())
        } else {
            Err(Errno::SRCH.into())
        }
    };
    // SAFETY: runs between fork and exec, where only async-signal-safe work is allowed: it makes
    // two system calls and allocates nothing.
    unsafe { command.pre_exec(request) };
}
