//! Clients without the filter, policies of Istio, and the way of the metrics to Prometheus.

use std::time::Duration;

use mesh::Exposition;
use mesh::labels::OPENED;

use super::application::{First, visit};
use super::bench::{Bench, NAMESPACE};
use super::expect;
use super::measure::{Place, expect_unchanged, measure, unanswered_in_all};
use crate::cluster::until;
use crate::error::{Error, Result};

const NUMBER: u64 = 100;
const LIMIT: Duration = Duration::from_secs(40);
const DENY: &str = r#"
apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: deny
spec:
  selector:
    matchLabels:
      app: mysql
  action: DENY
  rules:
  - to:
    - operation:
        ports: ["13306"]
"#;

/// A sidecar that offers the ALPN of mutual TLS only, as one without the filter does.
pub(super) fn without_filter(bench: &mut Bench<'_>) -> Result<String> {
    bench.plain_client()?;
    let before = bench.server()?.pod.metrics()?;
    let opened = |metrics: &Exposition| {
        metrics.sum(OPENED, &[("connection_security_policy", "mutual_tls")]) as u64
    };
    drop(bench.server()?.application.take());
    let address = bench.service();
    let visits = bench
        .plain_client()?
        .inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
    let mut counted = 0;
    let reported = until("the connections being counted", LIMIT, || {
        let seen = bench.server()?.application.seen().len() as u64;
        counted = opened(&bench.server()?.pod.metrics()?) - opened(&before);
        Ok((seen == NUMBER && counted == NUMBER).then_some(()))
    });
    match reported {
        Err(Error::Testbed(error)) if error.is_timeout() => {}
        other => other?,
    }
    expect_unchanged(&visits, bench.server()?.application.seen().iter())?;
    expect::equal("counted with mutual TLS", counted, NUMBER)?;
    let beside = measure(bench, Place::Mesh, (NUMBER, 1))?;
    beside.expect_unchanged(NUMBER)?;
    expect::at_most("incomplete", beside.destination()?.incomplete(), 1)?;
    Ok(format!(
        "{NUMBER} connections without the filter and {NUMBER} beside it, all counted, 0 frames"
    ))
}

pub(super) fn denied(bench: &mut Bench<'_>) -> Result<String> {
    let before = bench.client().metrics()?;
    bench.apply_text(DENY)?;
    let settled = bench.settled();
    let address = bench.service();
    let mut refused = 0;
    let denied = settled.and_then(|_| {
        until("the policy being in force", LIMIT, || {
            let visits = bench
                .client()
                .inside(|| Ok(visit(address, First::Client, 1, 1)))?;
            refused = visits.failed.len();
            Ok((refused == 1).then_some(()))
        })?;
        drop(bench.server()?.application.take());
        let visits = bench
            .client()
            .inside(|| Ok(visit(address, First::Client, NUMBER, 1)))?;
        let frames = visits
            .failed
            .iter()
            .filter(|failed| failed.contains("frame"))
            .count();
        expect::equal(
            "connections that failed",
            visits.failed.len() as u64,
            NUMBER,
        )?;
        expect::equal("frames at the client", frames, 0)?;
        // Envoy connects to the application before the policy's filter sees the first byte.
        let bytes: usize = bench
            .server()?
            .application
            .seen()
            .iter()
            .map(|seen| seen.bytes)
            .sum();
        expect::equal("bytes at the application", bytes, 0)
    });
    bench.delete("authorizationpolicy", "deny")?;
    denied?;
    // The server's sidecar reads the frame of a denied connection, but writes none.
    let counted = unanswered_in_all(bench, &before)?;
    Ok(format!(
        "{NUMBER} connections denied, 0 bytes at the application, {counted} frames without an answer"
    ))
}

/// Prometheus reads the agent's merged metrics, at the address in the injected annotations.
pub(super) fn scraped(bench: &mut Bench<'_>) -> Result<String> {
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
