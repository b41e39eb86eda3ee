//! Child processes that do not outlive their owner.

mod spawn;

use std::fs::{self, File};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use self::spawn::Keeper;
use crate::error::{Context, Error, Result};
use crate::poll::{self, Look};

pub use self::spawn::die_with_parent;

const STOP_LIMIT: Duration = Duration::from_secs(5);
const TAIL_LINES: usize = 25;
/// Remedies for errors at the end of a log: the error's text, and the sentence of the message after
/// "ended unexpectedly".
const REMEDIES: [(&str, &str); 3] = [
    ("Address already in use", PORT_TAKEN),
    ("address already in use", PORT_TAKEN),
    (
        NO_WASM,
        " This build of Envoy lacks the Wasm runtime V8: use another one, such as `--envoy-version 1.40.0`.",
    ),
];
/// The error of an Envoy without V8 for a bootstrap with a Wasm filter.
pub const NO_WASM: &str = "Envoy was compiled without support for it";
const PORT_TAKEN: &str =
    " A port that it needs is taken: end the program that holds it, or choose another port.";

/// A server process. Dropping it stops the server. If this process ends first, even by SIGKILL, the
/// kernel stops the server.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    stop: Signal,
    _keeper: Keeper,
}

impl Process {
    /// Starts `command` with its output in `log`. SIGKILL stops it.
    ///
    /// # Errors
    /// The log cannot be created or the program cannot be run.
    pub fn spawn(name: &str, command: Command, log: &Path) -> Result<Self> {
        Self::spawn_stopped_by(Signal::KILL, name, command, log)
    }

    /// Starts `command` with its output in `log`. The signal `stop` stops it, also when this
    /// process ends.
    ///
    /// # Errors
    /// The log cannot be created or the program cannot be run.
    pub fn spawn_stopped_by(
        stop: Signal,
        name: &str,
        mut command: Command,
        log: &Path,
    ) -> Result<Self> {
        let create = || format!("cannot create {}", log.display());
        let output = File::create(log).context(create)?;
        let errors = output.try_clone().context(create)?;
        // A separate process group: Ctrl-C reaches only this process, which then stops its servers
        // in order.
        command
            .stdin(Stdio::piped())
            .stdout(output)
            .stderr(errors)
            .process_group(0);
        let (child, keeper) =
            Keeper::spawn(command, stop).context(|| format!("cannot start {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            child,
            log: log.to_owned(),
            stop,
            _keeper: keeper,
        })
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The file with its output.
    #[must_use]
    pub fn log(&self) -> &Path {
        &self.log
    }

    /// Its standard input; `None` after the first call.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Waits until `look` returns [`Look::Found`].
    ///
    /// # Errors
    /// `look` failed, the time limit passed, or the process ended. The message contains the end of
    /// its log.
    pub fn until<T>(
        &mut self,
        what: &str,
        limit: Duration,
        mut look: impl FnMut() -> Result<Look<T>>,
    ) -> Result<T> {
        let found = poll::until(what, limit, || {
            self.check()?;
            look()
        });
        match found {
            Err(Error::TimedOut {
                what,
                limit,
                detail,
            }) => Err(Error::TimedOut {
                what,
                limit,
                detail: format!(
                    "{detail}. The end of {}:\n{}",
                    self.log.display(),
                    tail(&self.log)
                ),
            }),
            other => other,
        }
    }

    /// Checks that the process is running.
    ///
    /// # Errors
    /// The process ended. The message contains the end of its log.
    pub fn check(&mut self) -> Result<()> {
        let status = self
            .child
            .try_wait()
            .context(|| format!("cannot wait for {}", self.name))?;
        status.map_or(Ok(()), |status| Err(self.ended(status)))
    }

    /// Waits until the process ends without a signal from this process.
    ///
    /// # Errors
    /// The process failed. The message contains the end of its log.
    pub fn wait(mut self) -> Result<()> {
        let status = self
            .child
            .wait()
            .context(|| format!("cannot wait for {}", self.name))?;
        if status.success() {
            Ok(())
        } else {
            Err(self.ended(status))
        }
    }

    fn ended(&self, status: ExitStatus) -> Error {
        let tail = tail(&self.log);
        Error::ProcessEnded {
            name: self.name.clone(),
            status,
            remedy: remedy(&tail),
            log: self.log.clone(),
            tail,
        }
    }

    fn stop(&mut self) {
        let signal = |child: &Child, signal| {
            let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
            pid.map(|pid| kill_process(pid, signal))
        };
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        signal(&self.child, self.stop);
        let deadline = Instant::now() + STOP_LIMIT;
        while Instant::now() < deadline {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        signal(&self.child, Signal::KILL);
        let _reaped = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a program to its end and returns its output.
///
/// # Errors
/// The program cannot be run or fails. The message contains the last lines of its output.
pub fn run(name: &str, mut command: Command) -> Result<Output> {
    die_with_parent(&mut command, Signal::KILL);
    let output = command
        .stdin(Stdio::null())
        .output()
        .context(|| format!("cannot start {name}"))?;
    if output.status.success() {
        return Ok(output);
    }
    // Ctrl-C reaches all processes of the foreground group.
    if output.status.signal() == Some(Signal::INT.as_raw()) {
        return Err(Error::Interrupted);
    }
    let text = [output.stdout, output.stderr].concat();
    Err(Error::CommandFailed {
        name: name.to_owned(),
        status: output.status,
        output: last_lines(&String::from_utf8_lossy(&text)),
    })
}

/// The CPU time of all threads that a process has. Envoy ends no thread before its exit, so that the
/// sum is complete.
///
/// # Errors
/// `/proc` cannot be read.
pub fn cpu_time(id: u32) -> Result<Duration> {
    let tasks = format!("/proc/{id}/task");
    let what = || format!("cannot read {tasks}");
    let mut time = None;
    for task in fs::read_dir(&tasks).context(what)? {
        let path = task.context(what)?.path().join("schedstat");
        // A thread may end here.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let nanoseconds = text.split_whitespace().next();
        let nanoseconds = nanoseconds.and_then(|field| field.parse().ok());
        let malformed = || Error::malformed(path.display(), &text);
        let of_thread = Duration::from_nanos(nanoseconds.ok_or_else(malformed)?);
        time = Some(time.unwrap_or_default() + of_thread);
    }
    time.ok_or_else(|| Error::malformed(&tasks, "no thread has a schedstat"))
}

/// The last lines of a file; "(nothing)" if it has none.
#[must_use]
pub fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    last_lines(&String::from_utf8_lossy(&text))
}

/// The last lines of a text; "(nothing)" if it has none.
#[must_use]
pub fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let tail = lines
        .get(lines.len().saturating_sub(TAIL_LINES)..)
        .unwrap_or_default();
    if tail.is_empty() {
        "(nothing)".to_owned()
    } else {
        tail.join("\n")
    }
}

fn remedy(tail: &str) -> &'static str {
    let found = REMEDIES.into_iter().find(|(error, _)| tail.contains(error));
    found.map_or("", |(_, remedy)| remedy)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::folder::Scratch;

    const LIMIT: Duration = Duration::from_secs(10);

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_server_that_ends_is_reported_with_its_last_lines_and_a_remedy() {
        let scratch = Scratch::new("process").unwrap();
        let script = shell("echo 'bind: Address already in use'; exit 3");
        let mut server = Process::spawn("server", script, &scratch.path().join("log")).unwrap();
        let error = server.until::<()>("readiness", LIMIT, || Ok(Look::NotYet(String::new())));
        let message = error.unwrap_err().to_string();
        assert!(
            message.starts_with("server ended unexpectedly (exit status: 3)"),
            "{message}"
        );
        assert!(
            message.contains("bind: Address already in use"),
            "{message}"
        );
        assert!(message.contains("choose another port"), "{message}");
    }

    #[test]
    fn a_dropped_server_is_stopped_by_its_own_signal() {
        let scratch = Scratch::new("process").unwrap();
        let log = scratch.path().join("log");
        let script = shell("trap 'echo quit; exit' TERM; echo ready; while :; do sleep 0.01; done");
        let mut server = Process::spawn_stopped_by(Signal::TERM, "server", script, &log).unwrap();
        let ready = || {
            let ready = tail(&log).contains("ready");
            Ok(if ready {
                Look::Found(())
            } else {
                Look::NotYet(String::new())
            })
        };
        server.until("readiness", LIMIT, ready).unwrap();
        drop(server);
        assert_eq!(tail(&log), "ready\nquit");
    }

    #[test]
    fn a_server_outlives_the_thread_that_started_it() {
        let scratch = Scratch::new("process").unwrap();
        let log = scratch.path().join("log");
        let started = thread::spawn(move || Process::spawn("server", shell("sleep 60"), &log));
        let mut server = started.join().unwrap().unwrap();
        thread::sleep(Duration::from_millis(50));
        server.check().unwrap();
    }

    #[test]
    fn a_program_that_fails_is_reported_with_its_last_lines() {
        let error = run("tool", shell("echo out; echo err >&2; exit 2"))
            .unwrap_err()
            .to_string();
        assert_eq!(error, "tool failed (exit status: 2):\nout\nerr");
    }
}
