//! Prometheus, if it is installed, and the HTTP API of any Prometheus.

mod api;

use std::fs;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::databases::free_address;
use crate::envoy::{Envoy, http_get};
use crate::error::{Context, Result};
use crate::poll::Look;
use crate::process::{self, Process};
use crate::tools;
use crate::{Scratch, workspace};

pub use self::api::{Api, Samples};

const REMEDY: &str = "Install it (Debian: `apt install prometheus`) to run what needs it";
const RULES: &str = "envoy-config/prometheus/tcp-peer-stats.rules.yaml";

/// A Prometheus that scrapes sidecars and evaluates the rules of `envoy-config/` every second.
#[derive(Debug)]
pub struct Prometheus {
    _server: Process,
    api: Api,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes these Envoys.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    pub fn start<'a>(
        scratch: &Scratch,
        envoys: impl IntoIterator<Item = &'a Envoy>,
    ) -> Result<Self> {
        let targets = envoys.into_iter().map(
            |envoy| json!({ "targets": [envoy.admin()], "labels": { "sidecar": envoy.name() } }),
        );
        let scraping = json!([{
            "job_name": "envoy",
            "metrics_path": "/stats/prometheus",
            "static_configs": targets.collect::<Vec<_>>(),
        }]);
        Self::start_with(scratch, &scraping)
    }

    /// Starts a Prometheus with these `scrape_configs`.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    pub fn start_with(scratch: &Scratch, scraping: &Value) -> Result<Self> {
        Self::start_at(scratch, scraping, free_address()?)
    }

    /// As [`Self::start_with`], at this address.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or does not start.
    ///
    /// [`Error::NotInstalled`](crate::Error::NotInstalled): crate::Error::NotInstalled
    pub fn start_at(scratch: &Scratch, scraping: &Value, address: SocketAddr) -> Result<Self> {
        let prometheus = tools::daemon("prometheus", REMEDY)?;
        let dir = scratch.folder("prometheus")?;
        // JSON is YAML.
        let config = json!({
            "global": { "scrape_interval": "1s", "evaluation_interval": "1s" },
            "rule_files": [workspace::root().join(RULES)],
            "scrape_configs": scraping,
        });
        let file = dir.join("prometheus.yml");
        fs::write(&file, format!("{config:#}"))
            .context(|| format!("cannot write {}", file.display()))?;
        let mut command = Command::new(prometheus);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!(
            "--storage.tsdb.path={}",
            dir.join("data").display()
        ));
        // Limits the disk usage of a demo that is left running.
        command.arg("--storage.tsdb.retention.time=6h");
        command.arg(format!("--web.listen-address={address}"));
        let mut server = Process::spawn("prometheus", command, &dir.join("prometheus.log"))?;
        server.until("prometheus becoming ready", Duration::from_secs(60), || {
            Ok(match http_get(&format!("http://{address}/-/ready")) {
                Ok(_ready) => Look::Found(()),
                Err(error) => Look::NotYet(error.to_string()),
            })
        })?;
        Ok(Self {
            _server: server,
            api: Api::new(&format!("http://{address}")),
        })
    }
}

impl Deref for Prometheus {
    type Target = Api;

    fn deref(&self) -> &Api {
        &self.api
    }
}

/// Runs promtool in a folder.
///
/// # Errors
/// promtool is not installed ([`Error::NotInstalled`](crate::Error::NotInstalled)) or fails. The message has its last lines.
pub fn promtool(dir: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(tools::daemon("promtool", REMEDY)?);
    command.args(arguments).current_dir(dir);
    process::run("promtool", command)
}
