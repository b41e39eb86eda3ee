//! Servers with and without the filter behind one Service.

use std::time::Duration;

use super::application::First;
use super::bench::Bench;
use super::expect;
use super::lost::{self, PROOF};
use super::measure::{NUMBER, Place, measure};
use super::visit::visit;
use crate::cluster::until;
use crate::error::Result;

const LIMIT: Duration = Duration::from_secs(40);

pub(super) fn one_of_two(bench: &mut Bench<'_>) -> Result<String> {
    bench.add_server(false, None)?;
    bench.endpoints_are_the_servers()?;
    let mut text = Vec::new();
    for parallel in [1, 20] {
        let outcome = measure(bench, Place::Mesh, (NUMBER, parallel))?;
        outcome.expect_unchanged(NUMBER)?;
        expect::equal("opened, source", outcome.source.opened(), NUMBER)?;
        let arrived: Vec<_> = outcome.arrived.iter().map(Vec::len).collect();
        let is_shared = arrived.iter().all(|number| *number > 0);
        expect::holds(is_shared, || {
            format!("the servers got {arrived:?} connections")
        })?;
        let opened = outcome.destination()?.opened();
        let with_filter = arrived.first().copied().unwrap_or_default() as u64;
        expect::equal("opened, destination", opened, with_filter)?;
        text.push(format!(
            "{parallel} at a time: {arrived:?} connections with and without the filter"
        ));
    }
    Ok(format!("{}, 0 frames", text.join("; ")))
}

pub(super) fn replaced(bench: &mut Bench<'_>) -> Result<String> {
    lost::prove(bench)?;
    bench.add_server(false, None)?;
    bench.remove_first()?;
    bench.endpoints_are_the_servers()?;
    let outcome = measure(bench, Place::Mesh, (NUMBER, 1))?;
    outcome.expect_unchanged(NUMBER)?;
    expect::equal("opened, source", outcome.source.opened(), NUMBER)?;
    Ok(format!(
        "{PROOF} exchanges before, {NUMBER} connections after, 0 frames"
    ))
}

pub(super) fn address_reused(bench: &mut Bench<'_>) -> Result<String> {
    lost::prove(bench)?;
    let before = bench.client().metrics()?;
    let host = bench.remove_first()?;
    bench.add_server(false, Some(&host))?;
    bench.endpoints_are_the_servers()?;
    // A proxy is ready before it has its certificate. Only another client can see that it has one:
    // this client's first connection is the one that matters.
    let address = bench.service();
    let other = bench.plain_client()?;
    until("the new pod answering another client", LIMIT, || {
        let visits = other.inside(|| Ok(visit(address, First::Client, 1, 1)))?;
        Ok(visits.all_succeeded().then_some(()))
    })?;
    // The proof may have ended before the new pod was ready.
    lost::after_loss(bench, &before, (NUMBER, 1), 0..=1)
}
