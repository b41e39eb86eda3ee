//! Every field of Istio's TCP configuration and its effect on the metrics of both reporters, in
//! real Envoys.
//!
//! Expectations are changes to the labels of [`EXCHANGED`], the table of an exchange both ways.

mod definitions;
mod expressions;
mod metrics;
mod naming;
mod ours;
mod reporter;
mod versions;

use mesh::envoy::Envoy;
use mesh::exposition::{Exposition, Labels};
use mesh::labels::{self, METRICS, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use serde_json::{Value, json};

use crate::pair::{Pair, at, db, greet, web};
use crate::table::EXCHANGED;

/// Labels that the standard bootstrap does not extract.
const EXTRA: [&str; 4] = ["role", "note", "side", "app"];

/// Two sidecars with one configuration, and their metrics after one connection.
struct Reported {
    pair: Pair,
    source: Exposition,
    destination: Exposition,
}

impl Reported {
    fn with(name: &str, configuration: Value) -> Result<Self> {
        let configuration = at_intervals(configuration);
        let pair = Pair::start(name, |mesh, service| {
            mesh.configuration(configuration)
                .edit_client(tagged_web)
                .service(service.edit(tagged_db))
        })?;
        Self::of(pair)
    }

    fn of(pair: Pair) -> Result<Self> {
        drop(greet(pair.connect()?)?);
        Ok(Self {
            source: closed(&pair, Reporter::Source)?,
            destination: closed(&pair, Reporter::Destination)?,
            pair,
        })
    }

    fn by(&self, reporter: Reporter) -> &Exposition {
        match reporter {
            Reporter::Source => &self.source,
            Reporter::Destination => &self.destination,
        }
    }

    /// The label set of a metric's one series.
    fn labels(&self, reporter: Reporter, metric: &str) -> Result<&Labels> {
        Ok(&self.by(reporter).one(metric, &[])?.labels)
    }

    /// Expects all four metrics of both reporters to be labelled like an exchange both ways, but
    /// for `changes`.
    fn is_exchanged_but(&self, changes: impl Fn(&str, Reporter, &mut Labels)) -> Result {
        for reporter in Reporter::BOTH {
            for metric in METRICS {
                let mut expected = exchanged(reporter);
                changes(metric, reporter, &mut expected);
                assert_eq!(
                    self.labels(reporter, metric)?,
                    &expected,
                    "{metric} of {reporter}"
                );
            }
        }
        Ok(())
    }
}

/// The labels of an exchange both ways.
fn exchanged(reporter: Reporter) -> Labels {
    let mut columns = EXCHANGED.columns().into_iter();
    let found = columns.find(|labels| labels["reporter"] == reporter.as_str());
    found.unwrap()
}

/// Waits until a reporter counts its connection as closed, under any prefix of the metrics.
fn closed(pair: &Pair, reporter: Reporter) -> Result<Exposition> {
    let envoy = pair.sidecar(reporter)?;
    let metrics = poll::until(
        &format!("the end of a conversation, {reporter}"),
        LIMIT,
        || {
            let metrics = envoy.metrics()?;
            let is_over = metrics.iter().any(|series| {
                series.name.ends_with("tcp_connections_closed_total") && series.value == 1.0
            });
            Ok(if is_over {
                Look::Found(metrics)
            } else {
                Look::NotYet("it goes on".to_owned())
            })
        },
    )?;
    Ok(metrics)
}

/// Waits until a metric's one series has this value, under exactly these labels.
fn becomes(envoy: &Envoy, name: &str, labels: &Labels, value: f64) -> Result {
    let what = format!("{name} of {} being {value}", envoy.name());
    poll::until(&what, LIMIT, || {
        Ok(match envoy.metrics()?.one(name, &[]) {
            Ok(series) if series.value == value && series.labels == *labels => Look::Found(()),
            Ok(series) => Look::NotYet(series.to_string()),
            Err(none) => Look::NotYet(none.to_string()),
        })
    })?;
    Ok(())
}

/// A configuration with the tests' reporting interval, unless it has its own.
fn at_intervals(mut configuration: Value) -> Value {
    let own = ["tcp_reporting_duration", "tcpReportingDuration"];
    if own.iter().all(|key| configuration.get(key).is_none()) {
        configuration["tcp_reporting_duration"] = json!("500ms");
    }
    configuration
}

fn tagged_web(bootstrap: &mut Value) {
    web(bootstrap);
    extract(bootstrap, &EXTRA);
}

fn tagged_db(bootstrap: &mut Value) {
    db(bootstrap);
    extract(bootstrap, &EXTRA);
}

/// Adds `stats_tags` for labels of the user's own. The expression is anchored at the beginning of a
/// label, which is necessary for a label that another one ends with (`app`, `source_app`).
fn extract(bootstrap: &mut Value, labels: &[&str]) {
    let tags = at(bootstrap, "/stats_config/stats_tags")
        .as_array_mut()
        .unwrap();
    let tag = |label| json!({ "tag_name": label, "regex": format!(r"(?:^wasmcustom\.|;\.;)({label}=\.=(.*?);\.;)") });
    tags.extend(labels.iter().map(tag));
}

/// Sets these labels.
fn set<const N: usize>(labels: &mut Labels, changes: [(&str, &str); N]) {
    labels.extend(labels::owned(changes));
}

/// Removes these labels.
fn remove<const N: usize>(labels: &mut Labels, names: [&str; N]) {
    labels.retain(|name, _| !names.contains(&name.as_str()));
}

/// Otherwise histograms are exposed only after Envoy's flush, every five seconds.
fn flush_on_admin(bootstrap: &mut Value) {
    at(bootstrap, "")["stats_flush_on_admin"] = json!(true);
}
