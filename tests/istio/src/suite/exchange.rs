//! `overlays/exchange` with one server.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::application::First;
use super::bench::{Bench, Mode, SERVICE};
use super::expect;
use super::measure::{Outcome, Place, during, expect_unchanged, measure};
use crate::error::Result;

const NUMBER: u64 = 100;
const RULE: &str = "tls";
/// The client learns in its first connection that the server exchanges metadata.
const FIRST: u64 = 1;

pub(super) fn installed(bench: &mut Bench<'_>) -> Result<String> {
    complete(bench)
}

pub(super) fn strict(bench: &mut Bench<'_>) -> Result<String> {
    bench.authenticate(Mode::Strict)?;
    complete(bench)
}

pub(super) fn disable(bench: &mut Bench<'_>) -> Result<String> {
    bench.authenticate(Mode::Disable)?;
    // The client's endpoints follow, with a push of their own.
    bench.settled()?;
    thread::sleep(Duration::from_secs(2));
    without_tls(bench)
}

/// Both sidecars count every connection, in plaintext.
fn without_tls(bench: &Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    expect::equal("opened, source", outcome.source.opened(), NUMBER)?;
    expect::equal(
        "without TLS",
        outcome.destination()?.with_security("none"),
        NUMBER,
    )?;
    Ok(format!(
        "{NUMBER} connections, all counted on both sides, 0 frames"
    ))
}

pub(super) fn permissive_again(bench: &mut Bench<'_>) -> Result<String> {
    bench.authenticate(Mode::Strict)?;
    bench.authenticate(Mode::Disable)?;
    bench.authenticate(Mode::Permissive)?;
    bench.settled()?;
    thread::sleep(Duration::from_secs(2));
    complete(bench)
}

pub(super) fn switched(bench: &mut Bench<'_>) -> Result<String> {
    let modes = [
        Mode::Strict,
        Mode::Permissive,
        Mode::Disable,
        Mode::Permissive,
    ];
    let (visits, seen) = during(bench, || {
        for mode in modes {
            bench.authenticate(mode)?;
            thread::sleep(Duration::from_secs(3));
        }
        Ok(())
    })?;
    // A connection with the old kind of transport can fail, as it would without the filter.
    let failed = visits.failed.len();
    let frames = seen.iter().filter(|seen| seen.frame).count();
    expect::equal("frames at an application", frames, 0)?;
    let frames = visits
        .failed
        .iter()
        .filter(|failed| failed.contains("frame"))
        .count();
    expect::equal("frames at the client", frames, 0)?;
    let outcome = complete(bench)?;
    let made = visits.made;
    Ok(format!(
        "{made} connections during 4 changes, 0 frames, {failed} refused by Envoy; then {outcome}"
    ))
}

pub(super) fn plaintext(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Outside, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    expect::equal("opened, source", outcome.source.opened(), 0)?;
    expect::equal(
        "without TLS",
        outcome.destination()?.with_security("none"),
        NUMBER,
    )?;
    Ok(format!(
        "{NUMBER} connections, all counted by the server, 0 frames"
    ))
}

pub(super) fn server_first(bench: &mut Bench<'_>) -> Result<String> {
    bench.sends_first(First::Server)?;
    complete(bench)
}

pub(super) fn rule_plaintext(bench: &mut Bench<'_>) -> Result<String> {
    with_rule(bench, "DISABLE", without_tls)
}

pub(super) fn rule_mutual(bench: &mut Bench<'_>) -> Result<String> {
    with_rule(bench, "ISTIO_MUTUAL", complete)
}

/// Runs `work` under a DestinationRule with this TLS mode.
fn with_rule(
    bench: &Bench<'_>,
    mode: &str,
    work: impl FnOnce(&Bench<'_>) -> Result<String>,
) -> Result<String> {
    let rule = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": { "name": RULE },
        "spec": { "host": SERVICE, "trafficPolicy": { "tls": { "mode": mode } } },
    });
    bench.apply_text(&rule.to_string())?;
    let result = bench.settled().and_then(|_| {
        // The proxy warms the cluster after the acknowledgement.
        thread::sleep(Duration::from_secs(2));
        work(bench)
    });
    bench.delete("destinationrule", RULE)?;
    result
}

/// Every connection is counted on both sides, and all but the first have complete labels.
fn complete(bench: &Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    let Outcome {
        visits,
        arrived,
        source,
        ..
    } = &outcome;
    expect_unchanged(visits, arrived.iter().flatten())?;
    outcome.expect_unchanged(NUMBER)?;
    let destination = outcome.destination()?;
    expect::equal("opened, source", source.opened(), NUMBER)?;
    expect::equal("opened, destination", destination.opened(), NUMBER)?;
    expect::at_most("incomplete, source", source.incomplete(), FIRST)?;
    expect::at_most("incomplete, destination", destination.incomplete(), FIRST)?;
    expect::equal(
        "with mutual TLS",
        destination.with_security("mutual_tls"),
        NUMBER,
    )?;
    Ok(format!(
        "{NUMBER} connections, all counted on both sides, incomplete {} at the source and {} at the destination, 0 frames",
        source.incomplete(),
        destination.incomplete()
    ))
}
