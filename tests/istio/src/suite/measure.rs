//! Connections of a client, and what applications and metrics show of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mesh::Exposition;

use super::application::{First, Seen};
use super::bench::Bench;
use super::expect;
use super::reported::Reported;
use super::visit::{Visits, visit, visit_until};
use crate::cluster::{settle, until};
use crate::error::{Error, Result};
use crate::kubelet::Pod;

/// The connections of a measurement.
pub(super) const NUMBER: u64 = 100;
/// Longer than two reporting intervals of the filter.
pub(super) const SETTLE_LIMIT: Duration = Duration::from_secs(40);
/// A reporting interval, 15 s by default, and some time for the machine.
pub(super) const INTERVAL: Duration = Duration::from_secs(18);
/// The time until a server accepts a connection that its client has closed.
const MOMENT: Duration = Duration::from_millis(200);
/// `proof_duration` of the overlay, and some time for the clocks of the workers.
pub(super) const PROOF_DURATION: Duration = Duration::from_secs(62);

/// The place of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The client's pod, to the Service.
    Mesh,
    /// Outside of the mesh, to the first server's pod.
    Outside,
}

/// What was seen of some connections.
#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) visits: Visits,
    /// What each server's application saw.
    pub(super) arrived: Vec<Vec<Seen>>,
    /// What the client's sidecar reports.
    pub(super) source: Reported,
    /// What each server's sidecar reports.
    pub(super) destinations: Vec<Reported>,
}

/// Opens connections and waits until the sidecars have reported all of them, as far as they have
/// the filter.
pub(super) fn measure(
    bench: &Bench<'_>,
    from: Place,
    (number, parallel): (u64, u64),
) -> Result<Outcome> {
    let first = bench.server()?.application.first();
    let client = bench.client().metrics()?;
    let servers = scrape(bench)?;
    forget(bench);
    let visits = match from {
        Place::Mesh => {
            let address = bench.service();
            bench
                .client()
                .inside(|| Ok(visit(address, first, number, parallel)))?
        }
        Place::Outside => visit(bench.pod_address()?, first, number, parallel),
    };
    let mut last = None;
    settle("all connections being reported", SETTLE_LIMIT, || {
        let source = Reported::between(&client, &bench.client().metrics()?);
        let after = scrape(bench)?;
        let pairs = servers.iter().zip(&after);
        let destinations: Vec<_> = pairs
            .map(|(old, new)| Reported::between(old, new))
            .collect();
        let arrived: Vec<_> = bench
            .servers
            .iter()
            .map(|it| it.application.seen())
            .collect();
        let all_arrived = arrived.iter().map(|seen| seen.len() as u64).sum::<u64>() == visits.made;
        let is_source_done = from == Place::Outside || source.closed() == visits.made;
        let servers = bench.servers.iter().zip(&arrived).zip(&destinations);
        let are_servers_done = servers.into_iter().all(|((server, seen), reported)| {
            !server.reports.get() || reported.closed() == seen.len() as u64
        });
        let is_done = all_arrived && is_source_done && are_servers_done;
        last = Some((arrived, source, destinations));
        Ok(is_done)
    })?;
    let (arrived, source, destinations) =
        last.ok_or_else(|| Error::Check("nothing was observed".into()))?;
    Ok(Outcome {
        visits,
        arrived,
        source,
        destinations,
    })
}

/// Opens connections from the client's pod, one after another, while `change` runs. Gives metrics
/// no time to settle.
pub(super) fn during(
    bench: &Bench<'_>,
    change: impl FnOnce() -> Result<()>,
) -> Result<(Visits, Vec<Seen>)> {
    forget(bench);
    let visits = visiting(bench.client(), bench.service(), change)?;
    all_ended(bench)?;
    let seen = bench
        .servers
        .iter()
        .flat_map(|server| server.application.take());
    Ok((visits, seen.collect()))
}

/// Opens connections from a pod, one after another, while `change` runs.
pub(super) fn visiting(
    client: &Pod,
    address: SocketAddr,
    change: impl FnOnce() -> Result<()>,
) -> Result<Visits> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let visitor =
            scope.spawn(|| client.inside(|| Ok(visit_until(address, First::Client, &stop))));
        let changed = change();
        stop.store(true, Ordering::SeqCst);
        let visits = visitor.join();
        changed?;
        visits.unwrap_or_else(|_| Err(Error::Check("the client panicked".into())))
    })
}

/// Waits until all connections have ended at the servers, a moment after the client's side.
pub(super) fn all_ended(bench: &Bench<'_>) -> Result<()> {
    thread::sleep(MOMENT);
    until("the end of all connections", SETTLE_LIMIT, || {
        let have_ended = bench.servers.iter().all(|it| it.application.open() == 0);
        Ok(have_ended.then_some(()))
    })
}

fn forget(bench: &Bench<'_>) {
    for server in &bench.servers {
        drop(server.application.take());
    }
}

fn scrape(bench: &Bench<'_>) -> Result<Vec<Exposition>> {
    bench
        .servers
        .iter()
        .map(|server| server.pod.metrics())
        .collect()
}

impl Outcome {
    /// Every connection was answered with the digest of what the client sent, and no application
    /// saw anything else.
    pub(super) fn expect_unchanged(&self, number: u64) -> Result<()> {
        expect_unchanged(&self.visits, self.arrived.iter().flatten())?;
        expect::equal("connections", self.visits.made, number)?;
        expect::equal("connections at the applications", self.arrived(), number)
    }

    /// Connections that ended at the applications.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived.iter().map(|seen| seen.len() as u64).sum()
    }

    /// Connections in which an application received a frame.
    pub(super) fn frames(&self) -> usize {
        frames(self.arrived.iter().flatten())
    }

    /// What the first server's sidecar reports.
    pub(super) fn destination(&self) -> Result<&Reported> {
        let first = self.destinations.first();
        first.ok_or_else(|| Error::Check("there is no server".into()))
    }
}

/// No connection failed, and no application received anything but a client's text.
pub(super) fn expect_unchanged<'a>(
    visits: &Visits,
    seen: impl Iterator<Item = &'a Seen> + Clone,
) -> Result<()> {
    expect::holds(visits.all_succeeded(), || {
        let failed = visits.failed.len();
        format!("{failed} connections failed: {}", visits.first_failed())
    })?;
    expect::equal("frames at an application", frames(seen.clone()), 0)?;
    let wrong = seen.filter(|seen| !seen.ok).count();
    expect::equal("connections with other bytes at an application", wrong, 0)
}

/// Connections in which an application received a frame.
pub(super) fn frames<'a>(seen: impl Iterator<Item = &'a Seen>) -> usize {
    seen.filter(|seen| seen.frame).count()
}

/// The unanswered frames that the client has reported since `before`, a reporting interval after it
/// has reported the expected number: a report of more would come in it. After such a frame the
/// client writes none for the life of a proof: waits for its end.
pub(super) fn unanswered(bench: &Bench<'_>, before: &Exposition, expected: u64) -> Result<u64> {
    let count = || -> Result<u64> { Ok(since(bench, before)?.unanswered()) };
    settle("the unanswered frames being reported", SETTLE_LIMIT, || {
        Ok(count()? >= expected)
    })?;
    thread::sleep(INTERVAL);
    let counted = count()?;
    if counted > 0 {
        thread::sleep(PROOF_DURATION);
    }
    Ok(counted)
}

/// What the client has reported since `before`.
pub(super) fn since(bench: &Bench<'_>, before: &Exposition) -> Result<Reported> {
    Ok(Reported::between(before, &bench.client().metrics()?))
}
