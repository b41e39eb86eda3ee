//! The features that a run has reached.

use std::collections::BTreeSet;

use host_harness::scenario::{Chain, ChainFilter, Scenario, Side, Step, WasmFilter};

use super::compare::{Observations, refused};
use super::generate::Program;

/// The features of the program, without those of filters that saw no connection, of chains whose
/// filters saw none, and of updates that were refused.
pub(super) fn reached(
    program: &Program,
    scenario: &Scenario,
    candidates: &[Observations],
) -> BTreeSet<&'static str> {
    let seen = candidates.first().and_then(|steps| steps.last().cloned());
    let seen = seen.flatten().unwrap_or_default();
    let mut features = program.features.clone();
    let chains: Vec<_> = [Side::Outbound, Side::Inbound]
        .into_iter()
        .filter_map(|side| scenario.sidecar(side))
        .flat_map(|sidecar| sidecar.listener_chains())
        .filter(|chain| wasm(chain).any(|filter| has_connection(&seen, filter)))
        .collect();
    let has = |condition: &dyn Fn(&Chain) -> bool| chains.iter().any(condition);
    for (feature, is_reached) in [
        ("filter-chains", !chains.is_empty()),
        (
            "chain-by-server-name",
            has(&|chain| !chain.server_names.is_empty()),
        ),
        (
            "chain-by-alpn",
            has(&|chain| !chain.application_protocols.is_empty()),
        ),
        (
            "chain-by-transport-protocol",
            has(&|chain| chain.transport_protocol.is_some()),
        ),
        ("cluster-of-a-chain", has(&|chain| chain.cluster.is_some())),
        (
            "another-module",
            has(&|chain| {
                wasm(chain).any(|filter| filter.module.is_some() && has_connection(&seen, filter))
            }),
        ),
        ("update", is_updated(scenario, &seen)),
        ("drain", is_updated(scenario, &seen)),
    ] {
        if !is_reached {
            features.remove(feature);
        }
    }
    features
}

fn wasm(chain: &Chain) -> impl Iterator<Item = &WasmFilter> {
    chain.filters.iter().filter_map(|filter| match filter {
        ChainFilter::Wasm(filter) => Some(&**filter),
        _ => None,
    })
}

/// Whether a line tells of a connection: the probe has `new_connection()`, the other module the bytes.
fn has_connection(seen: &[String], filter: &WasmFilter) -> bool {
    let of_filter = format!(" {}: ", filter.name);
    let mut lines = seen.iter().filter(|line| line.contains(&of_filter));
    lines.any(|line| line.contains("new_connection(") || line.contains(" downstream "))
}

fn is_updated(scenario: &Scenario, seen: &[String]) -> bool {
    let updates = scenario.steps.iter();
    let updates = updates.filter(|step| matches!(step, Step::Update(_)));
    !seen.contains(&refused(updates.count()))
}
