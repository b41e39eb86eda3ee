//! A running Envoy.

use std::collections::BTreeMap;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::binary::EnvoyBinary;
use crate::error::{Context, Error, Result};
use crate::exposition::Exposition;
use crate::poll::Look;
use crate::process::{self, Process};

const READY_LIMIT: Duration = Duration::from_secs(60);
/// The time limit of a request. An Envoy whose main thread is stuck accepts it and never answers.
const ANSWER_LIMIT: Duration = Duration::from_secs(30);
/// The time limit of a question whether it is ready, which is repeated.
const READY_ANSWER_LIMIT: Duration = Duration::from_secs(5);

/// A running Envoy. Dropping it stops it.
#[derive(Debug)]
pub struct Envoy {
    process: Process,
    name: String,
    admin: SocketAddr,
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
        let (command, admin_file) = command(binary, name, bootstrap, concurrency, dir)?;
        let log = dir.join(format!("{name}.log"));
        let mut process = Process::spawn(&format!("Envoy {name}"), command, &log)?;
        let what = format!("Envoy {name} becoming ready");
        let id = process.id();
        let limit = READY_LIMIT * binary.slowness();
        let admin = process.until(&what, limit, || {
            let seen = ready(&admin_file);
            let is_over = matches!(seen, Look::NotYet(_)) && process::cpu_time(id)? > cpu;
            match is_over {
                false => Ok(seen),
                true => Err(Error::TimedOut {
                    what: what.clone(),
                    limit: cpu,
                    detail: " of CPU time".into(),
                }),
            }
        })?;
        Ok(Self {
            process,
            name: name.to_owned(),
            admin,
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
        self.admin
    }

    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The CPU time of all threads.
    ///
    /// # Errors
    /// `/proc` cannot be read.
    pub fn cpu_time(&self) -> Result<Duration> {
        process::cpu_time(self.id())
    }

    /// The path of the log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.process.log().to_owned()
    }

    /// The content of the log.
    ///
    /// # Errors
    /// The log cannot be read.
    pub fn log_text(&self) -> Result<String> {
        let log = self.process.log();
        let bytes = fs::read(log).context(|| format!("cannot read {}", log.display()))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Checks that the process is running.
    ///
    /// # Errors
    /// The process ended. The message contains the end of its log.
    pub fn check(&mut self) -> Result<()> {
        self.process.check()
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
        format!("http://{}{path}", self.admin)
    }

    /// Gets a path of the admin interface.
    ///
    /// # Errors
    /// There is no response, or its status is an error.
    pub fn get(&self, path: &str) -> Result<String> {
        http_get(&self.url(path))
    }
}

/// Writes a bootstrap to `dir`. Returns the command that loads it, and the file to which Envoy
/// writes the admin address.
fn command(
    binary: &EnvoyBinary,
    name: &str,
    bootstrap: &Value,
    concurrency: u32,
    dir: &Path,
) -> Result<(Command, PathBuf)> {
    let file = |suffix: &str| dir.join(format!("{name}.{suffix}"));
    let (config, admin_file) = (file("json"), file("admin"));
    let document = format!("{bootstrap:#}");
    fs::write(&config, document).context(|| format!("cannot write {}", config.display()))?;
    let command = binary.command(&config, &admin_file, concurrency);
    Ok((command, admin_file))
}

/// Gets a URL as text.
///
/// # Errors
/// There is no response, or its status is an error.
pub fn http_get(url: &str) -> Result<String> {
    http_query(url, &[])
}

/// Gets a URL with query parameters as text.
///
/// # Errors
/// There is no response, or its status is an error.
pub fn http_query(url: &str, parameters: &[(&str, &str)]) -> Result<String> {
    http_query_within(ANSWER_LIMIT, url, parameters)
}

fn http_query_within(limit: Duration, url: &str, parameters: &[(&str, &str)]) -> Result<String> {
    let failed = |error: ureq::Error| Error::Http {
        url: url.to_owned(),
        reason: error.to_string(),
    };
    let mut response = ureq::get(url)
        .config()
        .timeout_global(Some(limit))
        .build()
        .query_pairs(parameters.iter().copied())
        .call()
        .map_err(failed)?;
    response
        .body_mut()
        .with_config()
        .limit(u64::MAX)
        .read_to_string()
        .map_err(failed)
}

fn ready(admin_file: &Path) -> Look<SocketAddr> {
    let text = fs::read_to_string(admin_file).unwrap_or_default();
    let Ok(admin) = text.trim().parse::<SocketAddr>() else {
        return Look::NotYet("no admin address".into());
    };
    match http_query_within(READY_ANSWER_LIMIT, &format!("http://{admin}/ready"), &[]) {
        Ok(_live) => Look::Found(admin),
        Err(error) => Look::NotYet(error.to_string()),
    }
}
