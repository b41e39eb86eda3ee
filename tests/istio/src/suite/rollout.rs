//! Servers and clients that come and go while connections are open.

use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::bench::{Bench, SERVICE};
use super::expect;
use super::held::Held;
use super::measure::{NUMBER, Place, SETTLE_LIMIT, all_ended, during, expect_unchanged, measure};
use super::reported::Reported;
use super::visit::Visits;
use crate::cluster::settle;
use crate::error::{Error, Result};
use crate::kubelet::Pod;

/// The time that connections get after a change.
const MOMENT: Duration = Duration::from_secs(2);
/// The connections that are opened in each stage of a roll-out.
const HELD: u64 = 5;

/// Three servers, and then three others in their place under load.
pub(super) fn scaled(bench: &mut Bench<'_>) -> Result<String> {
    let mut text = Vec::new();
    for _ in 0..2 {
        bench.add_server(true, None)?;
    }
    bench.endpoints_are_the_servers()?;
    text.push(pairs(bench)?);
    let mut made = 0;
    for _ in 0..3 {
        bench.add_server(true, None)?;
        bench.first_leaves()?;
        let (visits, seen) = during(bench, || {
            bench.endpoints_are_the_servers()?;
            thread::sleep(MOMENT);
            Ok(())
        })?;
        expect_unchanged(&visits, seen.iter())?;
        made += visits.made;
        bench.remove_first()?;
    }
    text.push(pairs(bench)?);
    Ok(format!(
        "{}, {made} during three replacements, none failed, 0 frames",
        text.join(", then ")
    ))
}

/// Opens connections, and checks that both ends agree about each pair of workloads.
fn pairs(bench: &Bench<'_>) -> Result<String> {
    let number = 3 * NUMBER;
    let outcome = measure(bench, Place::Mesh, (number, 20))?;
    outcome.expect_unchanged(number)?;
    let mut all = Vec::new();
    let reports = outcome.arrived.iter().zip(&outcome.destinations);
    for (server, (seen, destination)) in bench.servers.iter().zip(reports) {
        let workload = server.workload();
        let arrived = seen.len() as u64;
        let what = |side: &str| format!("connections of {workload}, {side}");
        expect::holds(arrived > 0, || format!("{workload} got no connection"))?;
        expect::equal(&what("destination"), destination.opened(), arrived)?;
        expect::equal(
            &what("source"),
            outcome.source.opened_to(&workload),
            arrived,
        )?;
        all.push(arrived.to_string());
    }
    expect::equal("opened, source", outcome.source.opened(), number)?;
    Ok(format!("{} connections to three pods", all.join(" + ")))
}

/// Servers get the filter first and clients lose it first, each by other pods, while connections of
/// every stage are open.
pub(super) fn open_connections(bench: &mut Bench<'_>) -> Result<String> {
    bench.plain_client()?;
    let mut held = Vec::new();
    let address = bench.service();
    let open = |client: &Pod| Held::open(client, address, HELD);
    // Nobody has the filter.
    next_server(bench, false)?;
    held.push(open(bench.started_plain_client()?)?);
    // The servers have it, then the clients.
    next_server(bench, true)?;
    let with_filter = bench.servers.len() - 1;
    let before = [&bench.newest()?.pod, bench.client()].map(Pod::metrics);
    held.push(open(bench.started_plain_client()?)?);
    held.push(open(bench.client())?);
    // And back: the clients first.
    held.push(open(bench.started_plain_client()?)?);
    next_server(bench, false)?;
    held.push(open(bench.started_plain_client()?)?);
    thread::sleep(MOMENT);
    let mut visits = Visits::default();
    for connections in held {
        connections.finish(&mut visits);
    }
    all_ended(bench)?;
    let seen: Vec<_> = bench
        .servers
        .iter()
        .flat_map(|server| server.application.take())
        .collect();
    expect_unchanged(&visits, seen.iter())?;
    expect::equal("connections", visits.made, 5 * HELD)?;
    expect::equal(
        "connections at the applications",
        seen.len() as u64,
        5 * HELD,
    )?;
    let server = bench.servers.get(with_filter);
    let server = server.ok_or_else(|| Error::object(SERVICE, "a pod is gone"))?;
    let [at_server, at_client] = before;
    expect_reported("destination", &server.pod, &at_server?, 3 * HELD)?;
    expect_reported("source", bench.client(), &at_client?, HELD)?;
    while bench.servers.len() > 1 {
        bench.remove_first()?;
    }
    let (made, counted) = (visits.made, 3 * HELD);
    Ok(format!(
        "{made} connections open over five stages, none failed, 0 frames, {counted} counted by the server and {HELD} by the client"
    ))
}

/// A sidecar has opened and closed this number of connections since `before`.
fn expect_reported(side: &str, pod: &Pod, before: &Exposition, number: u64) -> Result<()> {
    let since = || -> Result<_> { Ok(Reported::between(before, &pod.metrics()?)) };
    settle("the connections being reported", SETTLE_LIMIT, || {
        Ok(since()?.closed() == number)
    })?;
    let reported = since()?;
    let counts = (reported.opened(), reported.closed());
    expect::equal(
        &format!("opened and closed, {side}"),
        counts,
        (number, number),
    )
}

/// A pod in the place of the newest one, which continues to run outside of the Service.
fn next_server(bench: &mut Bench<'_>, has_filter: bool) -> Result<()> {
    bench.add_server(has_filter, None)?;
    bench.others_leave()?;
    bench.endpoints_are_the_servers()
}
