//! Connections of a client, and what applications and metrics show of them.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mesh::exposition::{Exposition, Series};
use mesh::labels::{CLOSED, OPENED};

use super::application::{First, Seen, Visits, visit, visit_until};
use super::bench::Bench;
use super::expect;
use crate::cluster::until;
use crate::error::{Error, Result};
use crate::increase::increase;

/// Longer than two reporting intervals of the filter.
const SETTLE_LIMIT: Duration = Duration::from_secs(40);
const UNANSWERED: &str = "istio_tcp_unanswered_frames_total";

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

/// The increase of a sidecar's metrics.
#[derive(Debug, Default)]
pub(super) struct Reported(Vec<Series>);

/// Opens connections and waits until the sidecars have reported all of them, as far as they have the
/// filter.
pub(super) fn measure(
    bench: &Bench<'_>,
    from: Place,
    (number, parallel): (u64, u64),
) -> Result<Outcome> {
    let first = bench.server()?.application.first();
    observed(bench, from, || match from {
        Place::Mesh => {
            let address = bench.service();
            bench
                .client()
                .inside(|| Ok(visit(address, first, number, parallel)))
        }
        Place::Outside => Ok(visit(bench.pod_address()?, first, number, parallel)),
    })
}

/// Opens connections from the client's pod, one after another, while `change` runs. Gives metrics no
/// time to settle.
pub(super) fn during(
    bench: &Bench<'_>,
    change: impl FnOnce() -> Result<()>,
) -> Result<(Visits, Vec<Seen>)> {
    bench
        .servers
        .iter()
        .for_each(|server| drop(server.application.take()));
    let stop = AtomicBool::new(false);
    let address: SocketAddr = bench.service();
    let client = bench.client();
    let visits = thread::scope(|scope| {
        let visitor =
            scope.spawn(|| client.inside(|| Ok(visit_until(address, First::Client, &stop))));
        let changed = change();
        stop.store(true, Ordering::SeqCst);
        let visits = visitor.join();
        changed?;
        visits.unwrap_or_else(|_| Err(Error::Check("the client panicked".into())))
    })?;
    // The last connections end a moment after the client's side.
    thread::sleep(Duration::from_millis(500));
    let seen = bench
        .servers
        .iter()
        .flat_map(|server| server.application.take());
    Ok((visits, seen.collect()))
}

fn observed(
    bench: &Bench<'_>,
    from: Place,
    work: impl FnOnce() -> Result<Visits>,
) -> Result<Outcome> {
    let client = bench.client().metrics()?;
    let servers = scrape(bench)?;
    bench
        .servers
        .iter()
        .for_each(|server| drop(server.application.take()));
    let visits = work()?;
    let mut last = None;
    let settled = until("all connections being reported", SETTLE_LIMIT, || {
        let source = Reported(increase(&client, &bench.client().metrics()?));
        let after = scrape(bench)?;
        let pairs = servers.iter().zip(&after);
        let destinations: Vec<_> = pairs
            .map(|(old, new)| Reported(increase(old, new)))
            .collect();
        let arrived: Vec<_> = bench
            .servers
            .iter()
            .map(|it| it.application.seen())
            .collect();
        let all_arrived = arrived.iter().map(|seen| seen.len() as u64).sum::<u64>() == visits.made;
        let is_source_done = from == Place::Outside || source.sum(CLOSED) == visits.made;
        let servers = bench.servers.iter().zip(&arrived).zip(&destinations);
        let are_servers_done = servers.into_iter().all(|((server, seen), reported)| {
            !server.reports.get() || reported.sum(CLOSED) == seen.len() as u64
        });
        let is_done = all_arrived && is_source_done && are_servers_done;
        last = Some((arrived, source, destinations));
        Ok(is_done.then_some(()))
    });
    match settled {
        Ok(()) => {}
        // What is missing shows in the expectations of the check.
        Err(Error::Testbed(error)) if error.is_timeout() => {}
        Err(error) => return Err(error),
    }
    let (arrived, source, destinations) =
        last.ok_or_else(|| Error::Check("nothing was observed".into()))?;
    Ok(Outcome {
        visits,
        arrived,
        source,
        destinations,
    })
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
        self.arrived
            .iter()
            .flatten()
            .filter(|seen| seen.frame)
            .count()
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
    seen: impl Iterator<Item = &'a Seen>,
) -> Result<()> {
    expect::equal("connections that failed", visits.failed.as_slice(), &[])?;
    let mut frames = 0;
    let mut wrong = 0;
    for connection in seen {
        frames += u32::from(connection.frame);
        wrong += u32::from(!connection.ok);
    }
    expect::equal("frames at an application", frames, 0)?;
    expect::equal("connections with other bytes at an application", wrong, 0)
}

impl Reported {
    /// The connections opened.
    pub(super) fn opened(&self) -> u64 {
        self.sum(OPENED)
    }

    /// The connections opened whose labels of workloads are not all known.
    pub(super) fn incomplete(&self) -> u64 {
        let is_incomplete = |series: &&Series| {
            let mut labels = series.labels.iter();
            labels.any(|(name, value)| {
                let is_of_a_peer = name.starts_with("source_") || name.starts_with("destination_");
                is_of_a_peer && (value == "unknown" || value.is_empty())
            })
        };
        total(
            self.0
                .iter()
                .filter(|series| series.name == OPENED)
                .filter(is_incomplete),
        )
    }

    /// The connections opened with this security policy.
    pub(super) fn with_security(&self, policy: &str) -> u64 {
        let opened = self.0.iter().filter(|series| series.name == OPENED);
        total(opened.filter(|series| series.has(&[("connection_security_policy", policy)])))
    }

    fn sum(&self, name: &str) -> u64 {
        total(self.0.iter().filter(|series| series.name == name))
    }
}

fn total<'a>(series: impl Iterator<Item = &'a Series>) -> u64 {
    // Counters are integers that an f64 represents exactly.
    series.map(|series| series.value as u64).sum()
}

/// Waits until the client has reported this number of unanswered frames since `before`, with its
/// next reports. Returns the number.
pub(super) fn unanswered(bench: &Bench<'_>, before: &Exposition, expected: u64) -> Result<u64> {
    let mut last = 0;
    let reported = until("the unanswered frames being reported", SETTLE_LIMIT, || {
        last = Reported(increase(before, &bench.client().metrics()?)).sum(UNANSWERED);
        Ok((last == expected).then_some(()))
    });
    match reported {
        Err(Error::Testbed(error)) if error.is_timeout() => Ok(last),
        other => other.map(|()| last),
    }
}

/// The connections that the client has counted since `before`.
pub(super) fn opened_since(bench: &Bench<'_>, before: &Exposition) -> Result<u64> {
    Ok(Reported(increase(before, &bench.client().metrics()?)).opened())
}

/// The unanswered frames since `before` that the client has reported two intervals later, when it
/// has reported all.
pub(super) fn unanswered_in_all(bench: &Bench<'_>, before: &Exposition) -> Result<u64> {
    thread::sleep(SETTLE_LIMIT);
    Ok(Reported(increase(before, &bench.client().metrics()?)).sum(UNANSWERED))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_that_is_unknown_or_empty_makes_a_connection_incomplete() {
        let text = "istio_tcp_connections_opened_total{source_app=\"a\",destination_app=\"b\",response_flags=\"-\",connection_security_policy=\"unknown\"} 3\n\
                    istio_tcp_connections_opened_total{source_app=\"unknown\",connection_security_policy=\"mutual_tls\"} 2\n\
                    istio_tcp_connections_opened_total{source_app=\"\"} 1\n";
        let series = Exposition::parse(text).unwrap().iter().cloned().collect();
        let reported = Reported(series);
        assert_eq!((reported.opened(), reported.incomplete()), (6, 3));
        assert_eq!(reported.with_security("mutual_tls"), 2);
    }
}
