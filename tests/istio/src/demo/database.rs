//! A database in its pod, and the taps at both applications' ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::process::Command;
use std::time::Duration;

use mesh::databases::{MariaDb, Mongo, MongoClient};
use mesh::labels::Reporter;
use mesh::poll::Look;
use mesh::process::Process;
use mesh::tools::on_path;
use mesh::{Scratch, Tap, Workload};

use crate::cluster::Kubectl;
use crate::error::{Error, Result};
use crate::kubelet::Pod;
use crate::overlay::Port;
use crate::tools::Tools;
use crate::workload::cluster_address;

/// The port at which the database listens behind its tap.
const BEHIND: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 27018);
const LIMIT: Duration = Duration::from_secs(60);

/// A database and the path to it.
#[derive(Debug)]
pub(super) struct Database {
    pub(super) service: &'static str,
    pub(super) workload: Workload,
    pub(super) pod: Pod,
    server: Server,
    near: Tap,
    far: Tap,
}

/// The programs.
#[derive(Debug)]
pub(super) enum Server {
    /// `mongod`.
    Mongo(Mongo),
    /// A server of MongoDB's protocol with SQLite storage.
    FerretDb { _process: Process },
    /// MariaDB.
    MariaDb(MariaDb),
}

impl Server {
    /// Starts a server of MongoDB's protocol: the `mongod` on the PATH, or else FerretDB.
    pub(super) fn mongo(tools: &Tools, scratch: &Scratch) -> Result<Self> {
        if on_path("mongod").is_some() {
            return Ok(Self::Mongo(Mongo::start(scratch)?));
        }
        let dir = scratch.folder("ferretdb")?;
        let mut command = Command::new(tools.path("mongodb")?);
        command.arg(BEHIND.to_string()).arg(&dir).current_dir(&dir);
        let mut server = Process::spawn("FerretDB", command, &dir.join("ferretdb.log"))?;
        server.until("FerretDB listening", LIMIT, || {
            Ok(match TcpStream::connect(BEHIND) {
                Ok(_connected) => Look::Found(()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })?;
        Ok(Self::FerretDb { _process: server })
    }

    /// Starts MariaDB.
    pub(super) fn maria(scratch: &Scratch) -> Result<Self> {
        Ok(Self::MariaDb(MariaDb::start(scratch)?))
    }

    fn address(&self) -> SocketAddr {
        match self {
            Self::Mongo(mongo) => mongo.address(),
            Self::FerretDb { .. } => BEHIND,
            Self::MariaDb(maria) => maria.address(),
        }
    }
}

impl Database {
    /// Puts a server that runs in the pod's network behind a tap at the pod's port, and a tap for
    /// the client into the client's network.
    pub(super) fn connect(
        (service, workload): (&'static str, Workload),
        pod: Pod,
        server: Server,
        client: &Pod,
        (port, kubectl): (Port, &Kubectl),
    ) -> Result<Self> {
        let listen = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.target));
        let behind = server.address();
        let far = pod.inside(|| Ok(Tap::start_at(listen, behind)?))?;
        let address = cluster_address(kubectl, &workload.namespace, service)?;
        let service_address = SocketAddr::from((address, port.service));
        let near = client.inside(|| Ok(Tap::start(service_address)?))?;
        Ok(Self {
            service,
            workload,
            pod,
            server,
            near,
            far,
        })
    }

    /// One visit of the client: it connects, writes, reads, and disconnects.
    pub(super) fn visit(&self, client: &Pod, scratch: &Scratch) -> Result<()> {
        let address = self.near.address();
        client.inside(|| {
            if let Server::MariaDb(maria) = &self.server {
                let answer = maria.query(address, "select 6 * 7")?;
                return if answer == "42" {
                    Ok(())
                } else {
                    Err(Error::Check(format!("MariaDB answered {answer:?}, not 42")))
                };
            }
            let mut mongo = MongoClient::start(scratch, address)?;
            mongo.rest()?;
            mongo.finish()?;
            Ok(())
        })
    }

    /// The description of the server.
    pub(super) fn version(&self, client: &Pod) -> Result<String> {
        Ok(match &self.server {
            Server::Mongo(mongo) => mongo.kind().to_owned(),
            Server::FerretDb { .. } => "FerretDB with SQLite (no `mongod` on the PATH)".to_owned(),
            Server::MariaDb(maria) => {
                let address = self.near.address();
                client.inside(|| Ok(maria.query(address, "select version()")?))?
            }
        })
    }

    /// The tap at the application's end of the sidecar that reports as `reporter`.
    pub(super) fn tap(&self, reporter: Reporter) -> &Tap {
        match reporter {
            Reporter::Source => &self.near,
            Reporter::Destination => &self.far,
        }
    }
}
