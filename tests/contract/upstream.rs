//! Istio's own test cases for its TCP metrics, in real Envoys.
//!
//! Each test is named after the upstream test. Upstream's filter on the cluster corresponds to this
//! filter in front of tcp_proxy; upstream's counters `alpn_protocol_found` and `…_not_found` are
//! results of `istio_tcp_peer_exchange_total`.

mod e2e;
mod integration;
mod two_proxies;

use mesh::Workload;
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use serde_json::Value;

use crate::pair::{CLUSTER, ENDPOINT, Pair, at};

fn workload(name: &str, namespace: &str, app: &str, account: &str) -> Workload {
    Workload {
        name: name.into(),
        namespace: namespace.into(),
        app: app.into(),
        version: "v1".into(),
        service_account: account.into(),
        cluster_id: format!("{account}-cluster"),
    }
}

/// Upstream's endpoints have `tlsMode`, but no workload metadata.
fn unknown_endpoint(bootstrap: &mut Value) {
    let endpoint = at(
        bootstrap,
        &format!("{CLUSTER}{ENDPOINT}/metadata/filter_metadata"),
    );
    endpoint.as_object_mut().unwrap().remove("istio");
}

/// Waits until this many exchanges have this result.
fn outcomes(pair: &Pair, reporter: Reporter, result: &str, count: u64) -> Result {
    let labels = [("reporter", reporter.as_str()), ("result", result)];
    becomes(
        pair,
        reporter,
        "istio_tcp_peer_exchange_total",
        &labels,
        count as f64,
    )
}

/// Waits until the one series with these labels has this value.
fn becomes(
    pair: &Pair,
    reporter: Reporter,
    metric: &str,
    labels: &[(&str, &str)],
    value: f64,
) -> Result {
    let envoy = pair.sidecar(reporter)?;
    poll::until(&format!("{metric}{labels:?} being {value}"), LIMIT, || {
        Ok(match envoy.metrics()?.one(metric, labels) {
            Ok(series) if series.value == value => Look::Found(()),
            Ok(series) => Look::NotYet(series.to_string()),
            Err(none) => Look::NotYet(none.to_string()),
        })
    })?;
    Ok(())
}
