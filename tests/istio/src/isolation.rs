//! Runs a job in namespaces of its own, so that nothing of it is left behind however it ends.
//!
//! The process outside starts `unshare` with itself as the program. The process inside is the first
//! of a PID namespace, and has network and mount namespaces. If it ends, the kernel kills all other
//! processes of the namespace and removes its networks and mounts. All files of a run are on a tmpfs
//! in the mount namespace. The process inside ends when its standard input does, so it ends with the
//! process outside, even if that is killed.

mod relay;

use std::fs;
use std::io::{self, BufRead, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio, exit};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mesh::error::Context;
use mesh::process::die_with_parent;
use mesh::tools::on_path;
use rustix::mount::{MountFlags, mount};
use rustix::process::{Signal, geteuid};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

pub use self::relay::Relay;

/// The hidden sub-command of the process inside.
pub const INSIDE: &str = "inside";

/// The time until the namespaces exist, and until they are gone after Ctrl-C.
const LIMIT: Duration = Duration::from_secs(10);

/// The exit code of a program that Ctrl-C ended.
const INTERRUPTED: u8 = 130;

/// The pause between two looks at a process.
const PAUSE: Duration = Duration::from_millis(20);

/// The folder of a run's files, on the tmpfs at `/run`.
const WORK: &str = "/run/istio";

/// Programs that must be installed, and Debian's packages of them.
const PROGRAMS: [(&str, &str); 5] = [
    ("unshare", "util-linux"),
    ("setpriv", "util-linux"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
    ("iptables-restore", "iptables"),
];

/// Checks that this user and this machine can run a job.
///
/// # Errors
/// The user is not root, or a program is missing ([`Error::is_unmet`]).
pub fn check() -> Result<()> {
    if !geteuid().is_root() {
        return Err(Error::Unmet {
            what: "network and mount namespaces need root".into(),
            remedy: "Run the command as root; nothing outside of its namespaces is changed".into(),
        });
    }
    for (program, package) in PROGRAMS {
        if on_path(program).is_none() {
            return Err(Error::Unmet {
                what: format!("{program} was not found"),
                remedy: format!("Install it (Debian: `apt install {package}`)"),
            });
        }
    }
    Ok(())
}

/// Runs this program with the argument [`INSIDE`] in new namespaces and sends it `job`. Returns its
/// exit code. The relay, if there is one, leads into these namespaces.
///
/// # Errors
/// The namespaces cannot be created.
pub fn run(job: &impl Serialize, relay: Option<&Relay>) -> Result<u8> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::SeqCst))
        .map_err(|error| mesh::Error::malformed("the signal set-up", error))?;
    let this = std::env::current_exe().context(|| "cannot find this program")?;
    let mut command = Command::new("unshare");
    command
        .args([
            "--net",
            "--mount",
            "--pid",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "--",
        ])
        .arg(this)
        .arg(INSIDE)
        .stdin(Stdio::piped());
    die_with_parent(&mut command, Signal::KILL);
    let mut child = command.spawn().context(|| "cannot start unshare")?;
    let mut input = child.stdin.take();
    let inside = first_child(&mut child)?;
    if let Some(relay) = relay {
        relay.enter(inside);
    }
    if let Some(input) = &mut input {
        writeln!(input, "{inside}").context(|| "cannot talk to the process in the namespaces")?;
        let line =
            serde_json::to_string(job).map_err(|error| mesh::Error::malformed("the job", error))?;
        writeln!(input, "{line}").context(|| "cannot talk to the process in the namespaces")?;
    }
    let status = loop {
        if interrupted.load(Ordering::SeqCst) {
            // The process inside ends with its input.
            input = None;
            break end(&mut child)?;
        }
        if let Some(status) = ended(&mut child)? {
            break status;
        }
        thread::sleep(PAUSE);
    };
    drop(input);
    Ok(if interrupted.load(Ordering::SeqCst) {
        INTERRUPTED
    } else {
        code(status)
    })
}

/// What the process inside receives.
#[derive(Debug)]
pub struct Entered<J> {
    /// The job.
    pub job: J,
    /// The folder for the files of the run.
    pub work: PathBuf,
    /// The id of this process outside of the namespaces.
    pub outer_id: u32,
}

/// Receives the job, inside the namespaces, and prepares the folder for the files of the run.
///
/// # Errors
/// This process was not started by [`run`], or the folder cannot be created.
pub fn enter<J: DeserializeOwned>() -> Result<Entered<J>> {
    let outer_id = line()?;
    let job = line()?;
    thread::Builder::new()
        .name("end".into())
        .spawn(|| {
            // Ends at the end of the input.
            let _ended = io::copy(&mut io::stdin().lock(), &mut io::sink());
            exit(i32::from(INTERRUPTED));
        })
        .context(|| "cannot start a thread")?;
    // `unshare` made all mounts private.
    mount("tmpfs", "/run", "tmpfs", MountFlags::empty(), c"mode=755")
        .map_err(io::Error::from)
        .context(|| "cannot mount a tmpfs at /run")?;
    let work = PathBuf::from(WORK);
    fs::create_dir(&work).context(|| format!("cannot create {WORK}"))?;
    Ok(Entered {
        job,
        work,
        outer_id,
    })
}

/// Reads a line of JSON from the standard input.
fn line<T: DeserializeOwned>() -> Result<T> {
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context(|| "cannot read the job")?;
    Ok(serde_json::from_str(&line).map_err(|error| mesh::Error::malformed("the job", error))?)
}

/// Waits for the end of `unshare` and kills it, and so everything in the namespaces, if it does not
/// end.
fn end(unshare: &mut Child) -> Result<ExitStatus> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(status) = ended(unshare)? {
            return Ok(status);
        }
        thread::sleep(PAUSE);
    }
    let killed = unshare.kill().and_then(|()| unshare.wait());
    Ok(killed.context(|| "cannot kill unshare")?)
}

/// The id of the process that `unshare` starts.
fn first_child(unshare: &mut Child) -> Result<u32> {
    let id = unshare.id();
    let path = format!("/proc/{id}/task/{id}/children");
    let deadline = Instant::now() + LIMIT;
    loop {
        let children = fs::read_to_string(&path).unwrap_or_default();
        if let Some(child) = children
            .split_whitespace()
            .next()
            .and_then(|id| id.parse().ok())
        {
            return Ok(child);
        }
        if ended(unshare)?.is_some() {
            return Err(Error::Unmet {
                what: "the kernel permits no namespaces here".into(),
                remedy: "Give the capability CAP_SYS_ADMIN, for example to a container with `--privileged`".into(),
            });
        }
        if Instant::now() > deadline {
            return Err(Error::Check(format!(
                "unshare has started no process within {LIMIT:?}"
            )));
        }
        thread::sleep(PAUSE);
    }
}

/// Copies the logs of a run to a folder outside of the namespaces.
///
/// # Errors
/// A file cannot be copied.
pub fn save(logs: &Path, to: &Path) -> Result<()> {
    let copied = fs::create_dir_all(to).and_then(|()| {
        for entry in fs::read_dir(logs)? {
            let path = entry?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name()) {
                fs::copy(&path, to.join(name))?;
            }
        }
        Ok(())
    });
    Ok(copied.context(|| format!("cannot copy the logs to {}", to.display()))?)
}

fn ended(child: &mut Child) -> Result<Option<ExitStatus>> {
    Ok(child.try_wait().context(|| "cannot wait for unshare")?)
}

fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}
