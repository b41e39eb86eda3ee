//! A server that loses its filter while a client knows that it has one.

use std::ops::RangeInclusive;
use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::bench::Bench;
use super::expect;
use super::measure::{
    NUMBER, PROOF_DURATION, Place, during, expect_unchanged, measure, since, unanswered,
};
use crate::error::Result;

/// The connections that make the client know the server.
pub(super) const PROOF: u64 = 10;
/// The time that connections get after the removal of the filter.
const AFTERWARDS: Duration = Duration::from_secs(5);
const FILTERS: [&str; 2] = ["tcp-peer-stats-client", "tcp-peer-stats-server"];

/// The line in the log of the client's proxy, at Istio's log level.
const UNANSWERED: &str = "did not answer a frame with one: if it lost its exchange filter, its application received the frame";

/// A client that knows the server writes one frame to it: no more, because that frame takes the
/// proof, and no less, because the proof is still valid.
pub(super) const ONE: RangeInclusive<usize> = 1..=1;

pub(super) fn one_after_another(bench: &mut Bench<'_>) -> Result<String> {
    lost(bench, 1)
}

pub(super) fn at_once(bench: &mut Bench<'_>) -> Result<String> {
    lost(bench, 20)
}

pub(super) fn uninstall(bench: &mut Bench<'_>) -> Result<String> {
    prove(bench)?;
    let before = bench.client().metrics()?;
    let mut lost = 0;
    let (visits, seen) = during(bench, || {
        bench.apply("uninstall")?;
        bench.chains_have("receive")?;
        bench.settled()?;
        thread::sleep(PROOF_DURATION);
        // Before the removal: the metrics may vanish with the filter.
        lost = unanswered(bench, &before, 0)?;
        bench.delete_filters(&FILTERS)?;
        bench.client_has_no_filter()?;
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    expect_unchanged(&visits, seen.iter())?;
    expect::equal("unanswered frames", lost, 0)?;
    let before = bench.client().metrics()?;
    let (after, seen) = during(bench, || {
        thread::sleep(AFTERWARDS);
        Ok(())
    })?;
    expect_unchanged(&after, seen.iter())?;
    expect::equal("counted at the client", since(bench, &before)?.opened(), 0)?;
    let (during, after) = (visits.made, after.made);
    Ok(format!(
        "{during} connections during the removal and {after} after it, none failed, 0 frames"
    ))
}

/// Makes the client know that the server exchanges metadata: from the second connection on, the
/// server knows the client by its frame.
pub(super) fn prove(bench: &Bench<'_>) -> Result<()> {
    let outcome = measure(bench, Place::Mesh, (PROOF, 1))?;
    outcome.expect_unchanged(PROOF)?;
    let destination = outcome.destination()?;
    expect::equal("opened, destination", destination.opened(), PROOF)?;
    expect::at_most("incomplete, destination", destination.incomplete(), 1)
}

/// Opens connections to a server that lost its filter: this number of frames reaches the
/// application, and the client counts them.
pub(super) fn after_loss(
    bench: &Bench<'_>,
    before: &Exposition,
    (number, parallel): (u64, u64),
    permitted: RangeInclusive<usize>,
) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (number, parallel))?;
    let frames = outcome.frames();
    expect::holds(permitted.contains(&frames), || {
        format!("frames at the application: {frames}, not {permitted:?}")
    })?;
    let arrived = outcome.arrived.iter().flatten();
    let wrong = arrived.filter(|seen| !seen.ok).count();
    expect::equal(
        "connections with other bytes at the application",
        wrong,
        frames,
    )?;
    let ended = outcome.visits.expect_ended(frames)?;
    expect::equal("connections that ended early", ended, 0)?;
    expect::equal("connections at the application", outcome.arrived(), number)?;
    expect::equal("opened, source", outcome.source.opened(), number)?;
    let counted = unanswered(bench, before, frames as u64)?;
    expect::equal("unanswered frames", counted, frames as u64)?;
    let log = bench.client().log("istio-proxy")?;
    expect::holds(frames == 0 || log.contains(UNANSWERED), || {
        format!("the client's log has no line with {UNANSWERED:?}")
    })?;
    Ok(format!(
        "{number} connections, {parallel} at a time, {frames} frame at the application, {counted} counted"
    ))
}

fn lost(bench: &Bench<'_>, parallel: u64) -> Result<String> {
    prove(bench)?;
    let before = bench.client().metrics()?;
    bench.delete_filters(&["tcp-peer-stats-server"])?;
    after_loss(bench, &before, (NUMBER, parallel), ONE)
}
