//! `overlays/exchange` with one server.

use std::thread;
use std::time::Duration;

use mesh::labels::Reporter;
use serde_json::json;

use super::application::First;
use super::bench::{Bench, Mode, SERVICE};
use super::clusters::Transport;
use super::expect;
use super::measure::{NUMBER, Place, during, frames, measure};
use super::names;
use crate::error::Result;

const RULE: &str = "tls";
/// The time that connections get in each mode.
const MOMENT: Duration = Duration::from_secs(3);
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
    without_tls(bench)
}

/// Both sidecars count every connection, in plaintext: the server's without the client's names, the
/// client's with those of the endpoint.
fn without_tls(bench: &Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let version = &bench.server()?.version;
    let source = names::by_endpoint(version);
    outcome.source.expect_labels("source", &source, NUMBER)?;
    let destination = names::nameless(version);
    outcome
        .destination()?
        .expect_labels("destination", &destination, NUMBER)?;
    Ok(format!(
        "{NUMBER} connections, all counted on both sides, by the server without names, 0 frames"
    ))
}

pub(super) fn permissive_again(bench: &mut Bench<'_>) -> Result<String> {
    bench.authenticate(Mode::Strict)?;
    bench.authenticate(Mode::Disable)?;
    bench.authenticate(Mode::Permissive)?;
    complete(bench)
}

pub(super) fn switched(bench: &mut Bench<'_>) -> Result<String> {
    let modes = [
        Mode::Strict,
        Mode::Permissive,
        Mode::Disable,
        Mode::Permissive,
    ];
    let (mut made, mut failed) = (0, 0);
    for mode in modes {
        let (visits, seen) = during(bench, || {
            bench.authenticate(mode)?;
            thread::sleep(MOMENT);
            Ok(())
        })?;
        expect::equal("frames at an application", frames(seen.iter()), 0)?;
        // A connection with the old kind of transport can fail, as it would without the filter.
        failed += visits.expect_ended(0)?;
        made += visits.made;
    }
    let outcome = complete(bench)?;
    Ok(format!(
        "{made} connections during 4 changes, 0 frames, {failed} refused by Envoy; then {outcome}"
    ))
}

pub(super) fn plaintext(bench: &mut Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Outside, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    expect::equal("opened, source", outcome.source.opened(), 0)?;
    let expected = names::nameless(&bench.server()?.version);
    outcome
        .destination()?
        .expect_labels("destination", &expected, NUMBER)?;
    Ok(format!(
        "{NUMBER} connections, all counted by the server without names, 0 frames"
    ))
}

pub(super) fn server_first(bench: &mut Bench<'_>) -> Result<String> {
    bench.sends_first(First::Server)?;
    complete(bench)
}

/// An application with TLS of its own, through the mesh and from outside.
pub(super) fn own_tls(bench: &mut Bench<'_>) -> Result<String> {
    bench.sends_first(First::Tls)?;
    let through = complete(bench)?;
    let from_outside = plaintext(bench)?;
    Ok(format!(
        "through the mesh {through}; from outside {from_outside}"
    ))
}

pub(super) fn rule_plaintext(bench: &mut Bench<'_>) -> Result<String> {
    with_rule(bench, "DISABLE", Transport::Plaintext, without_tls)
}

pub(super) fn rule_mutual(bench: &mut Bench<'_>) -> Result<String> {
    with_rule(bench, "ISTIO_MUTUAL", Transport::Tls, complete)
}

/// Runs `work` under a DestinationRule with this TLS mode, which gives the cluster this transport.
fn with_rule(
    bench: &Bench<'_>,
    mode: &str,
    transport: Transport,
    work: impl FnOnce(&Bench<'_>) -> Result<String>,
) -> Result<String> {
    let rule = json!({
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": { "name": RULE },
        "spec": { "host": SERVICE, "trafficPolicy": { "tls": { "mode": mode } } },
    });
    bench.apply_text(&rule.to_string())?;
    let result = bench.transport_is(transport).and_then(|()| work(bench));
    bench.delete("destinationrule", RULE)?;
    bench.transport_is(Transport::ByEndpoint)?;
    result
}

/// Every connection is counted on both sides, and all but the first with all labels of both ends.
fn complete(bench: &Bench<'_>) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    let version = &bench.server()?.version;
    let (source, destination) = (&outcome.source, outcome.destination()?);
    let mut text = Vec::new();
    for (reporter, reported) in Reporter::BOTH.into_iter().zip([source, destination]) {
        let incomplete = reported.incomplete();
        expect::equal(&format!("opened, {reporter}"), reported.opened(), NUMBER)?;
        expect::at_most(&format!("incomplete, {reporter}"), incomplete, FIRST)?;
        let labels = names::exchanged(reporter, version);
        reported.expect_labels(reporter.as_str(), &labels, NUMBER - incomplete)?;
        text.push(format!("{incomplete} at the {reporter}"));
    }
    expect::equal(
        "with mutual TLS",
        destination.with_security("mutual_tls"),
        NUMBER,
    )?;
    Ok(format!(
        "{NUMBER} connections, all counted on both sides, incomplete {}, 0 frames",
        text.join(" and ")
    ))
}
