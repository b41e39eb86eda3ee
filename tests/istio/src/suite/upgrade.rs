//! The module of the EnvoyFilters replaced under load.

use std::thread;
use std::time::Duration;

use mesh::labels::Reporter;
use mesh::{Counts, Exposition, variant};
use serde_json::json;

use super::application::Seen;
use super::bench::{Bench, SHIPPED};
use super::expect;
use super::held::Held;
use super::lost;
use super::measure::{SETTLE_LIMIT, all_ended, expect_unchanged, visiting};
use super::names;
use super::reported::Reported;
use crate::cluster::{settle, until};
use crate::error::Result;
use crate::kubelet::Pod;

/// The new file: Envoy takes another file name for another module.
const FILE: &str = "tcp_peer_stats-2.wasm";
/// The connections that are open during the change, of each kind.
const HELD: u64 = 5;
/// The time that connections get before and after the change.
const MOMENT: Duration = Duration::from_secs(3);
/// Longer than Istio's drain time, 45 s.
const DRAIN_LIMIT: Duration = Duration::from_secs(90);

/// Connections that end before the drain time does, and others that Envoy closes at its end, are
/// counted once, over both VMs.
pub(super) fn module(bench: &mut Bench<'_>) -> Result<String> {
    let other = variant::other(&bench.shipped()?);
    lost::prove(bench)?;
    bench.provide(FILE, &other)?;
    let before = scrape(bench)?;
    drop(bench.server()?.application.take());

    let before_these = bench.server()?.application.heard();
    let ending = Held::open(bench.client(), bench.service(), HELD)?;
    // One of them takes the proof of the server: later, another connection would lack it.
    until(
        "the first bytes of the open connections",
        SETTLE_LIMIT,
        || {
            let heard = bench.server()?.application.heard();
            Ok((heard == before_these + HELD).then_some(()))
        },
    )?;
    // A link that is silent after the change loses its series: these have the others' labels, which
    // they get with the server's first bytes.
    let lasting = Held::answered(bench.client(), bench.service(), HELD)?;
    let mut visits = visiting(bench.client(), bench.service(), || {
        thread::sleep(MOMENT);
        bench.apply_module(FILE, &json!({}))?;
        bench.modules_are(FILE)?;
        thread::sleep(MOMENT);
        Ok(())
    })?;
    ending.finish(&mut visits);
    let made = visits.made;
    expect::holds(made > HELD, || "no connection was made".to_owned())?;
    let server = bench.server()?;
    // The drain removes the series of a connection with other labels.
    settle("the connections being reported", SETTLE_LIMIT, || {
        let counted = counts(bench, &before)?;
        Ok(counted.iter().all(|each| each.closed == made))
    })?;
    for (reporter, reported) in Reporter::BOTH.into_iter().zip(since(bench, &before)?) {
        let labels = names::exchanged(reporter, &server.version);
        reported.expect_labels(reporter.as_str(), &labels, reported.opened())?;
    }
    // Both proxies close those that outlast the drain.
    until("the end of the drain", DRAIN_LIMIT, || {
        Ok((server.application.open() == 0 && drained(bench)?).then_some(()))
    })?;
    drop(lasting);
    all_ended(bench)?;
    let seen = server.application.take();
    let all = made + HELD;
    expect_unchanged(&visits, seen.iter())?;
    expect::equal("connections at the application", seen.len() as u64, all)?;

    let total = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>() as u64;
    let expected = Counts {
        opened: all,
        closed: all,
        received: total(|it| it.bytes),
        sent: total(|it| it.sent),
    };
    settle("the connections being reported", SETTLE_LIMIT, || {
        Ok(counts(bench, &before)? == [expected; 2])
    })?;
    expect::equal(
        "the counts of source and destination",
        counts(bench, &before)?,
        [expected; 2],
    )?;
    for (reporter, reported) in Reporter::BOTH.into_iter().zip(since(bench, &before)?) {
        let labels = names::exchanged(reporter, &server.version);
        reported.expect_labels(reporter.as_str(), &labels, all)?;
        let what = format!("unanswered frames, {reporter}");
        expect::equal(&what, reported.unanswered(), 0)?;
    }
    bench.apply("exchange")?;
    bench.modules_are(SHIPPED)?;
    Ok(format!(
        "{made} connections, {HELD} of them open during the change, none failed, {HELD} more closed at the end of the drain time, each and its bytes counted once on both sides, 0 frames"
    ))
}

/// Whether both proxies have deleted the filters of before.
fn drained(bench: &Bench<'_>) -> Result<bool> {
    for pod in [bench.client(), &bench.server()?.pod] {
        let stats = pod.admin("/stats?filter=total_filter_chains_draining")?;
        if !stats.trim_end().ends_with(": 0") {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The counts of each side.
fn counts(bench: &Bench<'_>, before: &[Exposition; 2]) -> Result<[Counts; 2]> {
    Ok(since(bench, before)?.map(|it| it.counts()))
}

fn since(bench: &Bench<'_>, before: &[Exposition; 2]) -> Result<[Reported; 2]> {
    let [client, server] = before;
    let [new_client, new_server] = scrape(bench)?;
    Ok([
        Reported::between(client, &new_client),
        Reported::between(server, &new_server),
    ])
}

fn scrape(bench: &Bench<'_>) -> Result<[Exposition; 2]> {
    let [client, server] = [bench.client(), &bench.server()?.pod].map(Pod::metrics);
    Ok([client?, server?])
}
