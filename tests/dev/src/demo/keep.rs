//! `--keep`: a process that owns everything stays behind, and the one that was started returns to the shell.
//!
//! The supervisor's output are pipes to the parent, which relays them: were they the parent's own, whoever waits for the
//! end of the parent's output would wait for the supervisor. Its standard input is a socket for the hand-over. Until
//! then it dies with the parent.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::process::{Command, ExitCode, Stdio};
use std::{env, fs, thread};

use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal, setsid};
use rustix::stdio::{dup2_stderr, dup2_stdout};

use super::options::SUPERVISED;
use mesh::error::{Context, Error, Result};
use mesh::process::die_with_parent;

const HAND_OVER: &str = "cannot set up the hand-over";

/// Runs the demo in a supervisor and returns when that is done, or when it stays behind.
pub(super) fn launch() -> Result<ExitCode> {
    let (mut control, theirs) = UnixStream::pair().context(|| HAND_OVER)?;
    let mut command = Command::new(env::current_exe().context(|| "cannot find this program")?);
    command
        .args(env::args_os().skip(1))
        .arg(format!("--{SUPERVISED}"));
    command
        .stdin(OwnedFd::from(theirs))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    die_with_parent(&mut command, Signal::TERM);
    let mut supervisor = command.spawn().context(|| "cannot start the supervisor")?;
    // It holds our copy of the supervisor's end.
    drop(command);

    let pid = i32::try_from(supervisor.id()).ok().and_then(Pid::from_raw);
    ctrlc::set_handler(move || {
        // It stops everything and ends; then the relays below do.
        let _ended = pid.map(|pid| kill_process(pid, Signal::TERM));
    })
    .map_err(|error| Error::malformed("the signal set-up", error))?;

    let errors = supervisor
        .stderr
        .take()
        .map(|from| thread::spawn(|| relay(from, io::stderr())));
    if let Some(from) = supervisor.stdout.take() {
        relay(from, io::stdout());
    }
    let _relayed = errors.map(thread::JoinHandle::join);

    let mut verdict = [0];
    match control.read_exact(&mut verdict) {
        Ok(()) => {
            control.write_all(&verdict).context(|| HAND_OVER)?;
            let [code] = verdict;
            Ok(ExitCode::from(code))
        }
        // It ended without a hand-over.
        Err(_) => {
            let status = supervisor
                .wait()
                .context(|| "cannot wait for the supervisor")?;
            let code = status.code().and_then(|code| u8::try_from(code).ok());
            Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
        }
    }
}

fn relay(mut from: impl Read, mut to: impl Write) {
    // If our own output is gone there is nothing left to relay to.
    let _gone = io::copy(&mut from, &mut to);
}

/// This process, if it is the one that stays.
pub(super) struct Supervisor {
    control: UnixStream,
}

impl Supervisor {
    /// Leaves the terminal's session, so that closing it does not end what is kept.
    pub(super) fn begin() -> Result<Self> {
        let control = io::stdin()
            .as_fd()
            .try_clone_to_owned()
            .context(|| HAND_OVER)?;
        setsid().map_err(io::Error::from).context(|| HAND_OVER)?;
        Ok(Self {
            control: control.into(),
        })
    }

    /// Lets the parent go, with this verdict as its exit code. False if the parent has died: then nothing is kept.
    pub(super) fn hand_over(mut self, ok: bool) -> Result<bool> {
        set_parent_process_death_signal(None)
            .map_err(io::Error::from)
            .context(|| HAND_OVER)?;
        let nowhere = fs::OpenOptions::new().write(true).open("/dev/null");
        let nowhere = nowhere.context(|| HAND_OVER)?;
        dup2_stdout(&nowhere)
            .and_then(|()| dup2_stderr(&nowhere))
            .map_err(io::Error::from)
            .context(|| HAND_OVER)?;
        let verdict = [u8::from(!ok)];
        let taken = self
            .control
            .write_all(&verdict)
            .and_then(|()| self.control.read_exact(&mut [0]));
        Ok(taken.is_ok())
    }
}
