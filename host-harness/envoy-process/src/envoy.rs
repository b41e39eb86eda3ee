//! A running Envoy.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::binary::EnvoyBinary;
use crate::error::{Error, Result};
use crate::exposition::Exposition;
use crate::process;
use crate::server::{Server, command};
use crate::shared::{self, Lease};

pub use crate::http::{http_get, http_query};

/// A running Envoy. Dropping it stops it, or gives it back to the pool that it comes from.
#[derive(Debug)]
pub struct Envoy {
    server: Arc<Server>,
    name: String,
    /// The length of the log before the use of this value.
    log_start: usize,
    _lease: Option<Lease>,
}

impl Envoy {
    /// Starts an Envoy and waits until it is ready. Bootstrap, log and admin address are files in
    /// `dir`.
    ///
    /// # Errors
    /// The Envoy cannot be started or ends. The message contains the end of its log.
    pub fn start(
        binary: &EnvoyBinary,
        name: &str,
        bootstrap: &Value,
        concurrency: u32,
        dir: &Path,
    ) -> Result<Self> {
        Self::start_within(Duration::MAX, binary, name, bootstrap, concurrency, dir)
    }

    /// Starts an Envoy, which may use this much CPU time until it is ready. On a busy machine, its
    /// start takes longer, but not more CPU time.
    ///
    /// # Errors
    /// As [`Self::start`]; a filter that hangs in its start is a timeout.
    pub fn start_within(
        cpu: Duration,
        binary: &EnvoyBinary,
        name: &str,
        bootstrap: &Value,
        concurrency: u32,
        dir: &Path,
    ) -> Result<Self> {
        let server = Server::start(cpu, binary, name, bootstrap, concurrency, dir)?;
        Ok(Self {
            server: Arc::new(server),
            name: name.to_owned(),
            log_start: 0,
            _lease: None,
        })
    }

    /// As [`Self::start`], with an Envoy that has run other configurations of this process before,
    /// where there is one whose bootstrap differs only in listeners and clusters: it takes much less
    /// CPU time. Envoy's own counters may be higher than 0, and its files are not in `dir`.
    ///
    /// # Errors
    /// As [`Self::start`]; besides, Envoy rejects a listener or a cluster.
    pub fn start_shared(
        binary: &EnvoyBinary,
        name: &str,
        bootstrap: &Value,
        concurrency: u32,
        dir: &Path,
    ) -> Result<Self> {
        let Some((lease, server)) = shared::lease(binary, bootstrap, concurrency)? else {
            return Self::start(binary, name, bootstrap, concurrency, dir);
        };
        Ok(Self {
            log_start: lease.log_start(),
            server,
            name: name.to_owned(),
            _lease: Some(lease),
        })
    }

    /// Validates a bootstrap, with its filters and their configuration: `--mode validate`.
    ///
    /// # Errors
    /// Envoy rejects it. The message contains the end of Envoy's output.
    pub fn validate(binary: &EnvoyBinary, name: &str, bootstrap: &Value, dir: &Path) -> Result<()> {
        let (mut command, _admin_file) = command(binary, name, bootstrap, 1, dir)?;
        command.args(["--mode", "validate"]);
        process::run(&format!("Envoy {name}"), command)?;
        Ok(())
    }

    /// The name of the Envoy, as in messages and file names.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the admin interface.
    #[must_use]
    pub fn admin(&self) -> SocketAddr {
        self.server.admin
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.server.id
    }

    /// The CPU time of all threads.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn cpu_time(&self) -> Result<Duration> {
        process::cpu_time(self.id())
    }

    /// The path of the log: of all uses of the Envoy, after [`Self::start_shared`].
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.server.log.clone()
    }

    /// The content of the log, since the start of this value.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log_text(&self) -> Result<String> {
        let log = self.server.read_log()?;
        let own = log.get(self.log_start..).unwrap_or_default();
        Ok(String::from_utf8_lossy(own).into_owned())
    }

    /// Checks that the process is running.
    ///
    /// # Errors
    /// The process ended. The message contains the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.server.check()
    }

    /// The address of a listener.
    ///
    /// # Errors
    /// There is no listener with this name.
    pub fn listener(&self, name: &str) -> Result<SocketAddr> {
        let listeners = self.listeners()?;
        let found = listeners.get(name).copied();
        found.ok_or_else(|| {
            let names: Vec<_> = listeners.into_keys().collect();
            Error::malformed(
                format!("listener {name} of {}", self.name),
                names.join(", "),
            )
        })
    }

    /// The addresses of all listeners, by name.
    ///
    /// # Errors
    /// Envoy does not respond, or the list is malformed.
    pub fn listeners(&self) -> Result<BTreeMap<String, SocketAddr>> {
        let text = self.get("/listeners?format=json")?;
        let listeners: Value = serde_json::from_str(&text)
            .map_err(|error| Error::malformed("Envoy's list of listeners", error))?;
        let statuses = listeners.get("listener_statuses").and_then(Value::as_array);
        let addresses = statuses.into_iter().flatten().filter_map(|status| {
            let socket = status.pointer("/local_address/socket_address")?;
            let (ip, port) = (socket.get("address")?.as_str()?, socket.get("port_value")?);
            let address = format!("{ip}:{port}").parse().ok()?;
            Some((status.get("name")?.as_str()?.to_owned(), address))
        });
        Ok(addresses.collect())
    }

    /// The text of `/stats/prometheus`.
    ///
    /// # Errors
    /// Envoy does not respond.
    pub fn prometheus_text(&self) -> Result<String> {
        self.get("/stats/prometheus")
    }

    /// `/stats/prometheus`, parsed.
    ///
    /// # Errors
    /// Envoy does not respond, or the exposition is malformed.
    pub fn metrics(&self) -> Result<Exposition> {
        Exposition::parse(&self.prometheus_text()?)
    }

    /// The URL of a path of the admin interface.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        self.server.url(path)
    }

    /// Gets a path of the admin interface.
    ///
    /// # Errors
    /// There is no response, or its status is an error.
    pub fn get(&self, path: &str) -> Result<String> {
        self.server.get(path)
    }
}
