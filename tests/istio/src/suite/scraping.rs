//! The way of the metrics to Prometheus.

use std::collections::BTreeMap;
use std::time::Duration;

use mesh::labels::OPENED;
use mesh::prometheus::Prometheus;
use mesh::{Exposition, Scratch};

use super::bench::{Bench, NAMESPACE};
use super::expect;
use super::measure::{NUMBER, Place, measure};
use crate::cluster::settle;
use crate::error::{Error, Result};
use crate::scraping;

/// The time until Prometheus has found the pods and scraped them.
const LIMIT: Duration = Duration::from_secs(60);
/// The query of Istio's task about TCP metrics.
const QUERY: &str = "istio_tcp_connections_opened_total";

/// Prometheus reads the agent's merged metrics, at the address in the injected annotations.
pub(super) fn merged(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let mut compared = 0;
    for pod in [bench.client(), &bench.server()?.pod] {
        let annotation = |name: &str| {
            let found = pod.spec().metadata.annotations.get(name);
            found.ok_or_else(|| Error::object(pod.name(), format!("it has no annotation {name}")))
        };
        let port = annotation("prometheus.io/port")?;
        let path = annotation("prometheus.io/path")?;
        let url = format!("http://{}:{port}{path}", pod.address());
        let merged = Exposition::parse(&pod.get(&url)?)?;
        let own = pod.metrics()?;
        for series in own.named(OPENED) {
            let same = merged.named(OPENED).any(|other| other == series);
            expect::holds(same, || format!("{url} has no {series}"))?;
            compared += 1;
        }
        let twice = merged.duplicates();
        expect::holds(twice.is_empty(), || {
            format!("{url} has a series twice: {twice:?}")
        })?;
    }
    expect::holds(compared >= 2, || format!("{compared} series"))?;
    Ok(format!(
        "{compared} series of {NAMESPACE} at the agents' ports, as at Envoy's"
    ))
}

/// A Prometheus with the relabelling that its chart has for annotated pods.
pub(super) fn prometheus(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let scratch = Scratch::new_in(bench.work(), "prometheus")?;
    let pods = [bench.client(), &bench.server()?.pod];
    let prometheus = Prometheus::start_with(&scratch, &scraping::configuration(&pods))?;
    let mut expected = BTreeMap::new();
    for pod in pods {
        expected.insert(pod.name().to_owned(), pod.metrics()?.sum(OPENED, &[]));
    }
    let mut found = BTreeMap::new();
    settle("the metrics in Prometheus", LIMIT, || {
        let answer = prometheus.query(&format!(
            "sum by (pod) ({QUERY}{{namespace=\"{NAMESPACE}\"}})"
        ))?;
        found = answer
            .into_iter()
            .filter_map(|series| Some((series.labels.get("pod")?.clone(), series.value)))
            .filter(|(pod, _)| expected.contains_key(pod))
            .collect();
        Ok(found == expected)
    })?;
    expect::equal("connections by pod", &found, &expected)?;
    let unhealthy = prometheus.unhealthy_rules()?;
    expect::equal("rules that fail", unhealthy, vec![])?;
    let sum: f64 = expected.values().sum();
    Ok(format!(
        "{sum} connections of {} pods, as at their Envoys; all rules healthy",
        expected.len()
    ))
}
