//! Prometheus, if it is installed.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use serde_json::{Value, json};

use crate::databases::free_address;
use crate::envoy::{Envoy, http_get, http_query};
use crate::error::{Context, Error, Result};
use crate::exposition::{Labels, Series};
use crate::poll::Look;
use crate::process::{self, Process};
use crate::tools;
use crate::{Scratch, workspace};

const REMEDY: &str = "Install it (Debian: `apt install prometheus`) to run what needs it";
const RULES: &str = "envoy-config/prometheus/tcp-peer-stats.rules.yaml";

/// A Prometheus that scrapes sidecars and evaluates the rules of `envoy-config/` every second.
#[derive(Debug)]
pub struct Prometheus {
    _server: Process,
    address: SocketAddr,
}

impl Prometheus {
    /// Starts a Prometheus that scrapes these Envoys.
    ///
    /// # Errors
    /// It is not installed ([`Error::NotInstalled`]) or does not start.
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
    /// It is not installed ([`Error::NotInstalled`]) or does not start.
    pub fn start_with(scratch: &Scratch, scraping: &Value) -> Result<Self> {
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
        let address = free_address()?;
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
            address,
        })
    }

    /// The URL for a browser.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns the newest values of a PromQL expression, from the HTTP API. Computed series have an
    /// empty name.
    ///
    /// # Errors
    /// Prometheus does not answer, rejects the expression, or returns malformed data.
    pub fn query(&self, expression: &str) -> Result<Vec<Series>> {
        let data = self.get("query", &[("query", expression)])?;
        let result = data.get("result").and_then(Value::as_array);
        let result = result.ok_or_else(|| Error::malformed("Prometheus' answer", &data))?;
        let series = result.iter().map(|sample| {
            parse(sample).ok_or_else(|| Error::malformed("Prometheus' answer", sample))
        });
        series.collect()
    }

    /// Returns the values of a label in the series of a selector.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn label_values(&self, selector: &str, label: &str) -> Result<Vec<String>> {
        let data = self.get(&format!("label/{label}/values"), &[("match[]", selector)])?;
        serde_json::from_value(data).map_err(|error| Error::malformed("Prometheus' answer", error))
    }

    /// Returns the rules whose health is not `ok`, as Prometheus describes them.
    ///
    /// # Errors
    /// As [`Self::query`].
    pub fn unhealthy_rules(&self) -> Result<Vec<String>> {
        let data = self.get("rules", &[])?;
        let array = |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned();
        let groups = array(&data, "groups").unwrap_or_default();
        let rules = groups.iter().filter_map(|group| array(group, "rules"));
        let unhealthy = rules
            .flatten()
            .filter(|rule| rule.get("health").and_then(Value::as_str) != Some("ok"));
        Ok(unhealthy.map(|rule| rule.to_string()).collect())
    }

    /// Returns the field `data` of an answer.
    fn get(&self, path: &str, parameters: &[(&str, &str)]) -> Result<Value> {
        let text = http_query(&format!("{}/api/v1/{path}", self.url()), parameters)?;
        let mut answer: Value = serde_json::from_str(&text)
            .map_err(|error| Error::malformed("Prometheus' answer", error))?;
        let data = answer.get_mut("data").map(Value::take);
        data.ok_or_else(|| Error::malformed("Prometheus' answer", text))
    }
}

/// Runs promtool in a folder.
///
/// # Errors
/// promtool is not installed ([`Error::NotInstalled`]) or fails. The message has its last lines.
pub fn promtool(dir: &Path, arguments: &[&str]) -> Result<Output> {
    let mut command = Command::new(tools::daemon("promtool", REMEDY)?);
    command.args(arguments).current_dir(dir);
    process::run("promtool", command)
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
