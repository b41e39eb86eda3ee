//! A real Prometheus, if it is installed.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};

use crate::databases::free_address;
use crate::envoy::{Envoy, http_get, http_query};
use crate::error::{Context, Error, Result};
use crate::exposition::{Labels, Series};
use crate::poll::Look;
use crate::process::Process;
use crate::tools;
use crate::workspace::Scratch;

const REMEDY: &str = "Install it (Debian: `apt install prometheus`) to run what needs it";

/// A Prometheus that scrapes Envoys every second.
#[derive(Debug)]
pub struct Prometheus {
    _server: Process,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts one on these Envoys.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`]) or does not start.
    pub fn start<'a>(
        scratch: &Scratch,
        envoys: impl IntoIterator<Item = &'a Envoy>,
    ) -> Result<Self> {
        let prometheus = tools::daemon("prometheus", REMEDY)?;
        let dir = scratch.folder("prometheus")?;
        let targets = envoys.into_iter().map(
            |envoy| json!({ "targets": [envoy.admin()], "labels": { "sidecar": envoy.name() } }),
        );
        // JSON is YAML.
        let config = json!({
            "global": { "scrape_interval": "1s" },
            "scrape_configs": [{
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": targets.collect::<Vec<_>>(),
            }],
        });
        let file = dir.join("prometheus.yml");
        fs::write(&file, format!("{config:#}"))
            .context(|| format!("cannot write {}", file.display()))?;
        let address = free_address()?;
        let mut command = Command::new(prometheus);
        command.arg(format!("--config.file={}", file.display()));
        command.arg(format!(
            "--storage.tsdb.path={}",
            dir.join("data").display()
        ));
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
            address,
        })
    }

    /// Its address in a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Asks its HTTP API for the newest values of a PromQL expression. What is computed has no name.
    ///
    /// # Errors
    /// It does not answer, or not as documented; an expression that it cannot read is answered with an error.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>> {
        let url = format!("{}/api/v1/query", self.url());
        let text = http_query(&url, &[("query", expression)])?;
        let answer: Value = serde_json::from_str(&text)
            .map_err(|error| Error::malformed("Prometheus' answer", error))?;
        let result = answer.pointer("/data/result").and_then(Value::as_array);
        let result = result.ok_or_else(|| Error::malformed("Prometheus' answer", &text))?;
        let series = result.iter().map(|sample| {
            parse(sample).ok_or_else(|| Error::malformed("Prometheus' answer", sample))
        });
        series.collect()
    }
}

fn parse(sample: &Value) -> Option<Series> {
    let members = sample.get("metric")?.as_object()?.iter();
    let mut labels: Labels = members
        .map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())))
        .collect::<Option<_>>()?;
    let name = labels.remove("__name__").unwrap_or_default();
    let value = sample.pointer("/value/1")?.as_str()?.parse().ok()?;
    Some(Series {
        name,
        labels,
        value,
    })
}
