//! The emulated proxy of a scenario's sidecar.

use serde_json::Value;

use super::listener::{ChainFilter, WasmFilter};
use super::model::{Scenario, SidecarSpec, Target};
use super::roles::Side;
use crate::config::Direction;
use crate::module::Module;
use crate::property::{Cluster, Node, UpstreamHost};
use crate::sidecar::{SidecarBuilder, StartError};
use crate::stats::StatsTag;

/// The address of a host in the emulator.
const HOST: &str = "127.0.0.1:8080";

/// The name of a cluster to which the scenario gives none, as in real Envoys.
const UNNAMED: &str = "upstream";

/// The configuration of a side's proxy, with the filter under test; `None` if the scenario does not
/// have that side.
pub(super) fn builder(
    scenario: &Scenario,
    side: Side,
    module: &Module,
) -> Result<Option<SidecarBuilder>, StartError> {
    let Some(spec) = scenario.sidecar(side) else {
        return Ok(None);
    };
    let direction = match side {
        Side::Outbound => Direction::Outbound,
        Side::Inbound => Direction::Inbound,
    };
    let mut builder = SidecarBuilder::new(None, direction)
        .upstream_connect_mode(spec.upstream_connect_mode)
        .max_early_data_bytes(spec.max_early_data_bytes)
        .node(Node::new(&spec.node.id).metadata(spec.node.metadata.clone()))
        .profile(spec.profile.unwrap_or_default())
        .upstream_host(host(spec))
        .stats_tags(StatsTag::labels(scenario.labels.iter().map(String::as_str)));
    if let Some(timeout) = spec.idle_timeout {
        builder = builder.idle_timeout(Some(timeout));
    }
    if let Some(bytes) = spec.buffer_limit {
        builder = builder.buffer_limit(bytes);
    }
    builder = with_chains(builder, scenario, side, spec, module)?;
    if let Some(fault) = &spec.fault {
        builder = builder.fault(fault.clone());
    }
    builder = with_clusters(builder, scenario, spec);
    Ok(Some(with_state(with_tls(builder, scenario, side), spec)))
}

fn host(spec: &SidecarSpec) -> UpstreamHost {
    let host = UpstreamHost::new(HOST);
    match &spec.host.metadata {
        Value::Null => host,
        metadata => host.metadata(metadata.clone()),
    }
}

fn with_chains(
    mut builder: SidecarBuilder,
    scenario: &Scenario,
    side: Side,
    spec: &SidecarSpec,
    module: &Module,
) -> Result<SidecarBuilder, StartError> {
    for (at, chain) in spec.listener_chains().iter().enumerate() {
        if at > 0 {
            builder = builder.filter_chain();
        }
        builder = builder
            .filter_chain_name(&chain.name)
            .server_names(&chain.server_names)
            .application_protocols(&chain.application_protocols);
        if let Some(protocol) = chain.transport_protocol {
            builder = builder.transport_protocol(protocol);
        }
        if let Some(cluster) = &chain.cluster {
            builder = builder.chain_cluster(cluster);
        }
        for filter in &chain.filters {
            if let ChainFilter::Wasm(wasm) = filter {
                let configuration = scenario.configuration_of(side, wasm);
                builder = with_wasm(builder, wasm, &configuration, module)?;
            } else if let Some(own) = filter.own() {
                builder = builder.envoy_filter(own);
            }
        }
    }
    Ok(builder)
}

fn with_wasm(
    builder: SidecarBuilder,
    filter: &WasmFilter,
    configuration: &[u8],
    module: &Module,
) -> Result<SidecarBuilder, StartError> {
    let builder = match &filter.module {
        Some(file) => builder.filter(&Module::from_file_cached(file)?),
        None => builder.filter(module),
    };
    Ok(builder
        .plugin(&filter.name, &filter.root_id, &filter.vm_id)
        .plugin_config(configuration)
        .vm_config(&filter.vm_configuration)
        .failure_policy(filter.policy()))
}

fn with_clusters(
    mut builder: SidecarBuilder,
    scenario: &Scenario,
    spec: &SidecarSpec,
) -> SidecarBuilder {
    let offered = scenario.mtls.as_ref().map(|mtls| &mtls.offered_alpn);
    let cluster = |name: &str, target: &Target| {
        let cluster = Cluster::new(name).metadata(target.metadata.clone());
        cluster.alpn(offered.into_iter().flatten())
    };
    let is_set = offered.is_some_and(|offered| !offered.is_empty())
        || spec.cluster.max_connections.is_some()
        || !spec.cluster.metadata.is_null();
    let own = spec
        .cluster
        .name
        .as_deref()
        .or_else(|| is_set.then_some(UNNAMED));
    if let Some(name) = own {
        builder = builder.cluster(cluster(name, &spec.cluster));
    }
    for target in &spec.clusters {
        let name = target.name.as_deref().unwrap_or_default();
        builder = builder.other_cluster(cluster(name, target), host(spec));
    }
    let others = spec.clusters.iter();
    let named = others.map(|target| (target.name.as_deref(), target));
    for (name, target) in named.chain([(own, &spec.cluster)]) {
        if let (Some(name), Some(limit)) = (name, target.max_connections) {
            builder = builder.max_connections(name, limit);
        }
    }
    builder
}

fn with_tls(builder: SidecarBuilder, scenario: &Scenario, side: Side) -> SidecarBuilder {
    match (&scenario.mtls, side) {
        (None, _) => builder,
        (Some(mtls), Side::Outbound) => builder.upstream_tls(mtls.seen_by(side)),
        (Some(mtls), Side::Inbound) => builder.downstream_tls(mtls.seen_by(side)),
    }
}

fn with_state(mut builder: SidecarBuilder, spec: &SidecarSpec) -> SidecarBuilder {
    if let Some(key) = &spec.ja4_filter_state {
        builder = builder.ja4_filter_state(key);
    }
    for (key, value) in &spec.filter_state {
        builder = builder.filter_state(key, value);
    }
    for (key, value) in &spec.upstream_filter_state {
        builder = builder.upstream_filter_state(key, value);
    }
    builder
}
