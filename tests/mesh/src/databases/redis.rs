//! Redis, if it is installed.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use crate::Scratch;
use crate::error::Result;
use crate::poll::Look;
use crate::process::{self, Process};
use crate::tools;

const REMEDY: &str =
    "Install it (Debian: `apt install redis-server redis-tools`) to run what needs it";

/// A Redis server. In its protocol the client sends first, and pipelines.
#[derive(Debug)]
pub struct Redis {
    _server: Process,
    address: SocketAddr,
}

impl Redis {
    /// Starts a server without persistence.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        let server = tools::daemon("redis-server", REMEDY)?;
        tools::daemon("redis-cli", REMEDY)?;
        let dir = scratch.folder("redis")?;
        let address = super::free_address()?;
        let mut command = Command::new(server);
        command.args(["--bind", "127.0.0.1", "--port", &address.port().to_string()]);
        command
            .args(["--save", "", "--appendonly", "no"])
            .arg("--dir")
            .arg(&dir);
        let mut server = Process::spawn("redis-server", command, &dir.join("redis.log"))?;
        server.until(
            "redis-server becoming ready",
            Duration::from_secs(30),
            || {
                let mut ping = client("redis-cli", address);
                ping.arg("ping");
                Ok(match process::run("redis-cli", ping) {
                    Ok(_pong) => Look::Found(()),
                    Err(error) => Look::NotYet(error.to_string()),
                })
            },
        )?;
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

    /// A command for `redis-cli` or `redis-benchmark` that connects to `address`.
    #[must_use]
    pub fn client(&self, program: &str, address: SocketAddr) -> Command {
        client(program, address)
    }
}

fn client(program: &str, address: SocketAddr) -> Command {
    let mut command = Command::new(program);
    command.args([
        "-h",
        &address.ip().to_string(),
        "-p",
        &address.port().to_string(),
    ]);
    command
}
