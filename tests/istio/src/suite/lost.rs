//! A server that loses its filter while a client knows that it has one.

use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::bench::Bench;
use super::expect;
use super::measure::{Place, during, expect_unchanged, measure, opened_since, unanswered};
use crate::error::Result;

const NUMBER: u64 = 100;
/// The connections that make the client know the server.
pub(super) const PROOF: u64 = 10;
/// `proof_duration` of the overlay, and some time for the clocks of the workers.
const PROOF_DURATION: Duration = Duration::from_secs(62);
const FILTERS: [&str; 2] = ["tcp-peer-stats-client", "tcp-peer-stats-server"];

pub(super) fn one_after_another(bench: &mut Bench<'_>) -> Result<String> {
    lost(bench, 1)
}

pub(super) fn at_once(bench: &mut Bench<'_>) -> Result<String> {
    lost(bench, 20)
}

pub(super) fn uninstall(bench: &mut Bench<'_>) -> Result<String> {
    prove(bench)?;
    let (visits, seen) = during(bench, || {
        bench.apply("uninstall")?;
        bench.chains_have("receive")?;
        bench.settled()?;
        thread::sleep(PROOF_DURATION);
        bench.delete_filters(&FILTERS)?;
        bench.client_has_no_filter()?;
        thread::sleep(Duration::from_secs(1));
        Ok(())
    })?;
    expect_unchanged(&visits, seen.iter())?;
    let before = bench.client().metrics()?;
    let (after, seen) = during(bench, || {
        thread::sleep(Duration::from_secs(5));
        Ok(())
    })?;
    expect_unchanged(&after, seen.iter())?;
    expect::equal("counted at the client", opened_since(bench, &before)?, 0)?;
    expect::equal("unanswered frames", unanswered(bench, &before, 0)?, 0)?;
    let (during, after) = (visits.made, after.made);
    Ok(format!(
        "{during} connections during the removal and {after} after it, none failed, 0 frames"
    ))
}

/// Makes the client know that the server exchanges metadata.
pub(super) fn prove(bench: &Bench<'_>) -> Result<()> {
    let outcome = measure(bench, Place::Mesh, (PROOF, 1))?;
    outcome.expect_unchanged(PROOF)
}

/// Opens connections to a server that lost its filter: one frame at most reaches the application,
/// and the client counts it.
pub(super) fn at_most_one_frame(
    bench: &Bench<'_>,
    before: &Exposition,
    (number, parallel): (u64, u64),
) -> Result<String> {
    let outcome = measure(bench, Place::Mesh, (number, parallel))?;
    let frames = outcome.frames();
    expect::at_most("frames at the application", frames, 1)?;
    let wrong = outcome
        .arrived
        .iter()
        .flatten()
        .filter(|seen| !seen.ok)
        .count();
    expect::equal(
        "connections with other bytes at the application",
        wrong,
        frames,
    )?;
    let failed = &outcome.visits.failed;
    expect::holds(failed.len() <= frames, || {
        format!(
            "{} connections failed, more than {frames}: {:?}",
            failed.len(),
            failed.get(..3).unwrap_or(failed)
        )
    })?;
    expect::equal("connections at the application", outcome.arrived(), number)?;
    expect::equal("opened, source", outcome.source.opened(), number)?;
    let counted = unanswered(bench, before, frames as u64)?;
    expect::equal("unanswered frames", counted, frames as u64)?;
    Ok(format!(
        "{number} connections, {parallel} at a time, {frames} frame at the application, {counted} counted"
    ))
}

fn lost(bench: &Bench<'_>, parallel: u64) -> Result<String> {
    prove(bench)?;
    let before = bench.client().metrics()?;
    bench.delete_filters(&["tcp-peer-stats-server"])?;
    at_most_one_frame(bench, &before, (NUMBER, parallel))
}
