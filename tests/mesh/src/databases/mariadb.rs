//! MariaDB, if it is installed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustix::process::geteuid;

use crate::Scratch;
use crate::error::Result;
use crate::poll::Look;
use crate::process::{self, Process};
use crate::tools;

const REMEDY: &str = "Install it (Debian: `apt install mariadb-server-core mariadb-client-core`) to run what needs it";

/// A MariaDB server. In its protocol the server sends first.
#[derive(Debug)]
pub struct MariaDb {
    _server: Process,
    address: SocketAddr,
}

impl MariaDb {
    /// Creates a database and starts a server for it.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        let mariadbd = tools::daemon("mariadbd", REMEDY)?;
        let install = tools::daemon("mariadb-install-db", REMEDY)?;
        tools::daemon("mariadb", REMEDY)?;
        let dir = scratch.folder("mariadb")?;
        let data = dir.join("data");
        let mut command = as_owner(&install);
        command.args(["--auth-root-authentication-method=normal", "--skip-test-db"]);
        command.arg(format!("--datadir={}", data.display()));
        // At its start, MariaDB removes the temporary tables of every server from the folder.
        command.env("TMPDIR", &dir);
        process::run("mariadb-install-db", command)?;

        let address = super::free_address()?;
        let mut command = as_owner(&mariadbd);
        command.arg(format!("--datadir={}", data.display()));
        command.env("TMPDIR", &dir);
        command.args(["--bind-address=127.0.0.1", "--skip-name-resolve"]);
        command.arg(format!("--port={}", address.port()));
        // A name relative to the data folder: an absolute path can exceed the limit of a socket's
        // name.
        command.args(["--socket=mariadb.sock", "--pid-file=mariadb.pid"]);
        let mut server = Process::spawn("mariadbd", command, &dir.join("mariadb.log"))?;
        server.until("mariadbd becoming ready", Duration::from_secs(60), || {
            let mut ping = client("mariadb", address);
            ping.args(["--execute", "select 1"]);
            Ok(match process::run("mariadb", ping) {
                Ok(_one) => Look::Found(()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })?;
        Ok(Self {
            _server: server,
            address,
        })
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Executes a statement at `address` and returns the answer without names of columns.
    ///
    /// # Errors
    /// The statement fails.
    pub fn query(&self, address: SocketAddr, statement: &str) -> Result<String> {
        let mut mariadb = self.client("mariadb", address);
        mariadb.args(["--skip-column-names", "--batch", "--execute", statement]);
        let output = process::run("mariadb", mariadb)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// A command for `mariadb` or another client program that connects to `address`.
    #[must_use]
    pub fn client(&self, program: &str, address: SocketAddr) -> Command {
        client(program, address)
    }
}

/// A command for a server program, without option files and for the current user. It does not run
/// as root without `--user`.
fn as_owner(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.arg("--no-defaults");
    if geteuid().is_root() {
        command.arg("--user=root");
    }
    command
}

fn client(program: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args(["--no-defaults", "--protocol=tcp", "--user=root"]);
    command
        .arg(format!("--host={}", address.ip()))
        .arg(format!("--port={}", address.port()));
    command
}
