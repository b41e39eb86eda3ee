//! A MongoDB server and a client like Bookinfo's ratings.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command};
use std::time::Duration;

use crate::Scratch;
use crate::error::{Context, Result};
use crate::poll::Look;
use crate::process::Process;
use crate::tools;

const STAND_IN: &str = include_str!("../scripts/mongo_stand_in.py");
const CLIENT: &str = include_str!("../scripts/mongo_client.py");
const READY_LIMIT: Duration = Duration::from_secs(60);

/// A MongoDB server.
#[derive(Debug)]
pub struct Mongo {
    _server: Process,
    address: SocketAddr,
    kind: &'static str,
}

/// A client that wrote and read ratings with the MongoDB driver and continues to read over its open
/// connections.
#[derive(Debug)]
pub struct MongoClient {
    process: Process,
    stdin: Option<ChildStdin>,
}

impl Mongo {
    /// Starts the `mongod` on the PATH, or else the stand-in.
    ///
    /// # Errors
    /// Python or pip is missing, or the server does not start.
    pub fn start(scratch: &Scratch) -> Result<Self> {
        let dir = scratch.folder("mongodb")?;
        match tools::on_path("mongod") {
            Some(mongod) => Self::start_mongod(&mongod, &dir),
            None => Self::start_stand_in(&dir),
        }
    }

    /// The address of the server.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// A description of the server for reports.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    fn start_mongod(mongod: &Path, dir: &Path) -> Result<Self> {
        let address = super::free_address()?;
        let data = dir.join("data");
        fs::create_dir_all(&data).context(|| format!("cannot create {}", data.display()))?;
        let mut command = Command::new(mongod);
        command.args([
            "--bind_ip",
            "127.0.0.1",
            "--port",
            &address.port().to_string(),
        ]);
        command.arg("--dbpath").arg(data);
        let log = dir.join("mongod.log");
        let mut server = Process::spawn("mongod", command, &log)?;
        server.until("mongod becoming ready", READY_LIMIT, || {
            Ok(found_line(&log, |line| {
                line.contains("Waiting for connections").then_some(())
            }))
        })?;
        Ok(Self {
            _server: server,
            address,
            kind: "mongod from the PATH",
        })
    }

    fn start_stand_in(dir: &Path) -> Result<Self> {
        let log = dir.join("stand-in.log");
        let command = python(dir, "mongo_stand_in.py", STAND_IN)?;
        let mut server = Process::spawn("the MongoDB stand-in", command, &log)?;
        let address = server.until("the MongoDB stand-in becoming ready", READY_LIMIT, || {
            Ok(found_line(&log, |line| {
                line.strip_prefix("listening on ")?.parse().ok()
            }))
        })?;
        Ok(Self {
            _server: server,
            address,
            kind: "a wire-level stand-in (mockupdb: no `mongod` on the PATH)",
        })
    }
}

impl MongoClient {
    /// Writes ratings to the server at `address`, reads them back, and stays connected.
    ///
    /// # Errors
    /// Python or pip is missing, the server cannot be reached, or the values read differ from those
    /// written.
    pub fn start(scratch: &Scratch, address: SocketAddr) -> Result<Self> {
        let dir = scratch.folder("ratings-v2")?;
        let log = dir.join("mongo-client.log");
        let mut command = python(&dir, "mongo_client.py", CLIENT)?;
        command
            .arg(address.ip().to_string())
            .arg(address.port().to_string());
        let mut process = Process::spawn("the MongoDB client", command, &log)?;
        process.until("ratings being written and read", READY_LIMIT, || {
            Ok(found_line(&log, |line| (line == "ready").then_some(())))
        })?;
        let stdin = process.take_stdin();
        Ok(Self { process, stdin })
    }

    /// Stops the reads. The connections stay open.
    ///
    /// # Errors
    /// The client has exited.
    pub fn rest(&mut self) -> Result<()> {
        let log = self.process.log().to_owned();
        let stdin = self.stdin.as_mut().map(|stdin| stdin.write_all(b"rest\n"));
        stdin
            .transpose()
            .context(|| "cannot talk to the MongoDB client")?;
        self.process
            .until("the MongoDB client resting", READY_LIMIT, || {
                Ok(found_line(&log, |line| (line == "resting").then_some(())))
            })
    }

    /// Reads one rating, after [`Self::rest`].
    ///
    /// # Errors
    /// The client has exited.
    pub fn read(&mut self) -> Result<()> {
        let stdin = self.stdin.as_mut().map(|stdin| stdin.write_all(b"read\n"));
        stdin
            .transpose()
            .context(|| "cannot talk to the MongoDB client")?;
        self.process.check()
    }

    /// Checks that the client is connected and read only values that it wrote.
    ///
    /// # Errors
    /// The client has exited.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
    }

    /// Disconnects the client and waits for its exit.
    ///
    /// # Errors
    /// The client read a value that it did not write, or lost its connection.
    pub fn finish(self) -> Result<()> {
        drop(self.stdin);
        self.process.wait()
    }
}

fn python(dir: &Path, name: &str, script: &str) -> Result<Command> {
    let packages = tools::mongodb_python()?;
    let file: PathBuf = dir.join(name);
    fs::write(&file, script).context(|| format!("cannot write {}", file.display()))?;
    let mut command = Command::new(tools::python()?);
    command
        .arg(file)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Finds the first line of a log for which `find` returns a value.
fn found_line<T>(log: &Path, find: impl Fn(&str) -> Option<T>) -> Look<T> {
    let text = fs::read_to_string(log).unwrap_or_default();
    // The last line may be incomplete.
    let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
    whole
        .lines()
        .find_map(find)
        .map_or_else(|| Look::NotYet(String::new()), Look::Found)
}
