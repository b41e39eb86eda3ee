//! Servers with and without the filter behind one Service.

use super::bench::Bench;
use super::expect;
use super::lost::{self, PROOF};
use super::measure::{Place, measure};
use crate::error::Result;

const NUMBER: u64 = 100;

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
    let old = std::mem::take(&mut bench.servers);
    bench.add_server(false, None)?;
    for server in old {
        bench.remove(server)?;
    }
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
    let old = std::mem::take(&mut bench.servers);
    let mut host = None;
    for server in old {
        host = Some(bench.remove(server)?);
    }
    bench.add_server(false, host.as_ref())?;
    bench.endpoints_are_the_servers()?;
    lost::at_most_one_frame(bench, &before, (NUMBER, 1))
}
