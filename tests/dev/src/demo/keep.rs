//! `--keep`: a supervisor process owns all others and continues, and the process that the user
//! started returns to the shell.
//!
//! The supervisor writes to pipes of the parent, which relays them. With the parent's own output, a
//! reader that waits for its end would wait for the supervisor. The supervisor's standard input is
//! a socket for the hand-over. Until the hand-over, it dies with the parent.

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

/// Runs the demo in a supervisor and returns after its exit or its hand-over.
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
    // The command holds a copy of the supervisor's end of the socket.
    drop(command);

    let pid = i32::try_from(supervisor.id()).ok().and_then(Pid::from_raw);
    ctrlc::set_handler(move || {
        // The supervisor stops all processes and exits; then the relays below end.
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
        // The supervisor exited without a hand-over.
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
    // An error means that the output is closed.
    let _gone = io::copy(&mut from, &mut to);
}

/// The supervisor's side of the hand-over.
pub(super) struct Supervisor {
    control: UnixStream,
}

impl Supervisor {
    /// Leaves the session of the terminal, so that its end does not end the kept processes.
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

    /// Makes the parent exit with this verdict as its exit code. Returns `false` if the parent has
    /// died: then nothing is kept.
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
