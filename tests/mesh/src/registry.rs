//! A registry for OCI images, if one is installed.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::Scratch;
use crate::databases::free_address;
use crate::error::{Context, Result};
use crate::poll::Look;
use crate::process::Process;
use crate::tools;

const REMEDY: &str = "Install it (Debian: `apt install docker-registry`) to run what needs it";

/// The access control of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Without authentication.
    Open,
    /// For the users in this htpasswd file, whose passwords are bcrypt hashes.
    Htpasswd(&'static str),
}

/// An empty docker-registry on plain HTTP.
#[derive(Debug)]
pub struct Registry {
    _server: Process,
    address: SocketAddr,
    storage: PathBuf,
}

impl Registry {
    /// Starts a registry.
    ///
    /// # Errors
    /// It is not installed ([`crate::Error::NotInstalled`]) or does not start.
    pub fn start(scratch: &Scratch, access: Access) -> Result<Self> {
        Self::start_at(scratch, access, free_address()?)
    }

    /// As [`Self::start`], at an address that is free.
    ///
    /// # Errors
    /// It is not installed ([`crate::Error::NotInstalled`]) or does not start.
    pub fn start_at(scratch: &Scratch, access: Access, address: SocketAddr) -> Result<Self> {
        let program = tools::daemon("docker-registry", REMEDY)?;
        let dir = scratch.folder("registry")?;
        let storage = dir.join("storage");
        // JSON is YAML.
        let mut config = json!({
            "version": "0.1",
            "log": { "accesslog": { "disabled": true } },
            "storage": { "filesystem": { "rootdirectory": storage } },
            "http": { "addr": address },
        });
        if let Access::Htpasswd(text) = access {
            let file = dir.join("htpasswd");
            write(&file, text)?;
            let basic = json!({ "htpasswd": { "realm": "testbed", "path": file } });
            config
                .as_object_mut()
                .and_then(|config| config.insert("auth".into(), basic));
        }
        let file = dir.join("config.yml");
        write(&file, &format!("{config:#}"))?;
        let mut command = Command::new(program);
        command.arg("serve").arg(file);
        let mut server = Process::spawn("docker-registry", command, &dir.join("log"))?;
        server.until("docker-registry listening", Duration::from_secs(60), || {
            Ok(match std::net::TcpStream::connect(address) {
                Ok(_connected) => Look::Found(()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })?;
        Ok(Self {
            _server: server,
            address,
            storage,
        })
    }

    /// The address of the registry.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The file of a blob or a manifest, by its digest: `sha256:` and 64 hexadecimal digits.
    #[must_use]
    pub fn file(&self, digest: &str) -> PathBuf {
        let hex = digest.trim_start_matches("sha256:");
        let blobs = self.storage.join("docker/registry/v2/blobs/sha256");
        blobs
            .join(hex.get(..2).unwrap_or_default())
            .join(hex)
            .join("data")
    }
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).context(|| format!("cannot write {}", file.display()))
}
