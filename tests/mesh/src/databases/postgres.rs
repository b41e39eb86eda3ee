//! PostgreSQL, which does not run as root.

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::Scratch;
use crate::error::{Context, Result};
use crate::mesh_ca::Identity;
use crate::poll::Look;
use crate::process::{self, Process};
use crate::tools;

const READY_LIMIT: Duration = Duration::from_secs(60);
/// User and group `nobody`.
const NOBODY: u32 = 65534;

/// A PostgreSQL server with one database, `postgres`, and one user, `postgres`.
#[derive(Debug)]
pub struct Postgres {
    _server: Process,
    address: SocketAddr,
    installation: PathBuf,
    /// `Some` if the server's user has no access to `target/`. Dropped after the server.
    _staged: Option<TempDir>,
}

/// The folders and the user of the server.
struct Place {
    installation: PathBuf,
    data: PathBuf,
    user: Option<u32>,
    staged: Option<TempDir>,
}

impl Postgres {
    /// Creates a database cluster and starts a server for it.
    ///
    /// # Errors
    /// Python or pip is missing, or the server does not start.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        Self::launch(scratch, &tools::postgresql()?, None)
    }

    /// As [`Self::start`], with this certificate for clients that request TLS with `SSLRequest`. Uses
    /// the system's PostgreSQL: the one from pip has no TLS.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    pub fn start_with_tls(scratch: &Scratch, identity: &Identity) -> Result<Self> {
        Self::launch(scratch, &tools::system_postgresql()?, Some(identity))
    }

    fn launch(scratch: &Scratch, installation: &Path, identity: Option<&Identity>) -> Result<Self> {
        let dir = scratch.folder("postgresql")?;
        let place = Place::find(installation, &dir)?;
        let mut initdb = place.command("initdb");
        initdb.args([
            "--no-locale",
            "--encoding=UTF8",
            "--auth=trust",
            "--username=postgres",
        ]);
        initdb.args(["--no-sync", "--pgdata"]).arg(&place.data);
        process::run("initdb", initdb)?;

        let address = super::free_address()?;
        let mut postgres = place.command("postgres");
        postgres.arg("-D").arg(&place.data);
        for setting in [
            "listen_addresses=127.0.0.1",
            &format!("port={}", address.port()),
            "unix_socket_directories=",
            "dynamic_shared_memory_type=mmap",
            "fsync=off",
        ] {
            postgres.args(["-c", setting]);
        }
        if let Some(identity) = identity {
            // The server rejects a key that other users can read.
            for (setting, file) in [
                ("ssl_cert_file", &identity.chain),
                ("ssl_key_file", &identity.key),
            ] {
                let copy = place.private_copy(file, setting)?;
                postgres
                    .arg("-c")
                    .arg(format!("{setting}={}", copy.display()));
            }
            postgres.args(["-c", "ssl=on"]);
        }
        let log = dir.join("postgresql.log");
        // Immediate shutdown: it ends the server's child processes and frees its shared memory.
        let mut server = Process::spawn_stopped_by(Signal::QUIT, "PostgreSQL", postgres, &log)?;
        server.until("PostgreSQL becoming ready", READY_LIMIT, || {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let ready = text.contains("database system is ready to accept connections");
            Ok(if ready {
                Look::Found(())
            } else {
                Look::NotYet(String::new())
            })
        })?;
        Ok(Self {
            _server: server,
            address,
            installation: place.installation,
            _staged: place.staged,
        })
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A command for `psql`, `pgbench` or another client program that connects to `address`.
    #[must_use]
    pub fn client(&self, program: &str, address: SocketAddr) -> Command {
        let mut command = Command::new(self.installation.join("bin").join(program));
        command
            .env("PGHOST", address.ip().to_string())
            .env("PGPORT", address.port().to_string());
        command
            .env("PGUSER", "postgres")
            .env("PGDATABASE", "postgres");
        command
    }

    /// Sends a query to `address` and returns the result as unaligned text.
    ///
    /// # Errors
    /// The server cannot be reached or rejects the query.
    pub fn query(&self, address: SocketAddr, sql: &str) -> Result<String> {
        let mut psql = self.client("psql", address);
        psql.args(["--tuples-only", "--no-align", "--command", sql]);
        let output = process::run("psql", psql)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }
}

impl Place {
    /// `dir` and the given installation. Root uses the user `nobody`, and copies in a temporary
    /// folder if that user has no access to them.
    fn find(installation: &Path, dir: &Path) -> Result<Self> {
        let user = geteuid().is_root().then_some(NOBODY);
        let mut place = Self {
            installation: installation.to_owned(),
            data: dir.join("data"),
            user,
            staged: None,
        };
        if user.is_some() && !place.is_open() {
            place.stage()?;
        }
        let data = &place.data;
        fs::create_dir(data).context(|| format!("cannot create {}", data.display()))?;
        if let Some(user) = user {
            chown(data, Some(user), Some(user))
                .context(|| format!("cannot give {} to user {user}", data.display()))?;
        }
        Ok(place)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.installation.join("bin").join(program));
        if let Some(user) = self.user {
            command.uid(user).gid(user);
        }
        if let Some(dir) = self.data.parent() {
            command.current_dir(dir);
        }
        command
    }

    /// Copies a file into the data folder, readable only by the server's user.
    fn private_copy(&self, file: &Path, name: &str) -> Result<PathBuf> {
        let copy = self.data.join(name);
        fs::copy(file, &copy)
            .and_then(|_| fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)))
            .and_then(|()| chown(&copy, self.user, self.user))
            .context(|| format!("cannot copy {} to {}", file.display(), copy.display()))?;
        Ok(copy)
    }

    fn is_open(&self) -> bool {
        let mut version = self.command("postgres");
        version.arg("--version");
        process::run("postgres", version).is_ok()
    }

    fn stage(&mut self) -> Result<()> {
        let what = || "cannot make a temporary folder for PostgreSQL";
        let staged = tempfile::Builder::new()
            .prefix("testbed-postgresql-")
            .tempdir()
            .context(what)?;
        fs::set_permissions(staged.path(), fs::Permissions::from_mode(0o755)).context(what)?;
        self.data = staged.path().join("data");
        if self.installation.starts_with("/usr") {
            self.staged = Some(staged);
            return Ok(());
        }
        // The whole wheel is copied: the programs load libraries from it by relative paths.
        let wheel = self
            .installation
            .ancestors()
            .nth(2)
            .unwrap_or(&self.installation)
            .to_owned();
        let copy = staged.path().join("wheel");
        let mut cp = Command::new("cp");
        cp.arg("-R").arg(&wheel).arg(&copy);
        process::run("cp", cp)?;
        let inside = self
            .installation
            .strip_prefix(&wheel)
            .map(Path::to_owned)
            .unwrap_or_default();
        self.installation = copy.join(inside);
        self.staged = Some(staged);
        Ok(())
    }
}
