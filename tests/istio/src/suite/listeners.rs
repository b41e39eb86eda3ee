//! What istiod configured: the filter in the listeners of a proxy, and the endpoints of a cluster.

use std::net::Ipv4Addr;

use serde_json::Value;

use crate::error::Result;
use crate::kubelet::Pod;

/// The name of the filter in the overlays.
const FILTER: &str = "tcp_peer_stats";

/// A filter chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The transport protocol that it matches, such as `tls`.
    pub(super) transport: Option<String>,
    /// The configuration of the filter, if it has one.
    pub(super) filter: Option<String>,
}

impl Chain {
    /// Whether it has the filter in this mode.
    pub(super) fn has_mode(&self, mode: &str) -> bool {
        let configuration = self.filter.as_deref();
        let parsed = configuration.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let own = parsed
            .as_ref()
            .and_then(|parsed| parsed.pointer("/peer_exchange/mode"));
        own.and_then(Value::as_str) == Some(mode)
    }
}

/// The chains of `virtualInbound` for a port of the pod.
pub(super) fn inbound(pod: &Pod, port: u16) -> Result<Vec<Chain>> {
    let is_inbound = |name: &str| name == "virtualInbound";
    let matches = |chain: &Value| {
        let own = chain.pointer("/filter_chain_match/destination_port");
        own.and_then(Value::as_u64) == Some(port.into())
    };
    Ok(chains(&dump(pod)?, is_inbound, matches))
}

/// The chains of the outbound listeners of a port.
pub(super) fn outbound(pod: &Pod, port: u16) -> Result<Vec<Chain>> {
    let suffix = format!("_{port}");
    Ok(chains(
        &dump(pod)?,
        |name| name.ends_with(&suffix),
        |_| true,
    ))
}

/// The addresses of a cluster that get connections.
pub(super) fn endpoints(pod: &Pod, cluster: &str) -> Result<Vec<Ipv4Addr>> {
    Ok(addresses(
        &json("/clusters", &pod.admin("/clusters?format=json")?)?,
        cluster,
    ))
}

fn dump(pod: &Pod) -> Result<Value> {
    let path = "/config_dump?resource=dynamic_listeners";
    json(path, &pod.admin(path)?)
}

fn json(path: &str, text: &str) -> Result<Value> {
    Ok(serde_json::from_str(text).map_err(|error| mesh::Error::malformed(path, error))?)
}

fn items<'a>(value: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(place)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn text(value: &Value, place: &str) -> Option<String> {
    value
        .pointer(place)
        .and_then(Value::as_str)
        .map(str::to_owned)
}

fn chains(
    dump: &Value,
    is_wanted: impl Fn(&str) -> bool,
    matches: impl Fn(&Value) -> bool,
) -> Vec<Chain> {
    let listeners = items(dump, "/configs").filter_map(|it| it.pointer("/active_state/listener"));
    let listeners = listeners.filter(|it| text(it, "/name").is_some_and(|name| is_wanted(&name)));
    let chains = listeners.flat_map(|listener| {
        items(listener, "/filter_chains").chain(listener.get("default_filter_chain"))
    });
    chains
        .filter(|chain| matches(chain))
        .map(|chain| Chain {
            transport: text(chain, "/filter_chain_match/transport_protocol"),
            filter: items(chain, "/filters")
                .find(|filter| text(filter, "/name").as_deref() == Some(FILTER))
                .and_then(|filter| text(filter, "/typed_config/config/configuration/value")),
        })
        .collect()
}

fn addresses(clusters: &Value, cluster: &str) -> Vec<Ipv4Addr> {
    let of = items(clusters, "/cluster_statuses")
        .filter(|one| text(one, "/name").as_deref() == Some(cluster));
    let hosts = of.flat_map(|one| items(one, "/host_statuses"));
    // istiod can keep an endpoint that is not ready, as one that is not healthy.
    let is_used = |host: &&Value| {
        let status = text(host, "/health_status/eds_health_status");
        status.is_none_or(|status| status == "HEALTHY")
    };
    let hosts = hosts.filter(is_used);
    let address = |host: &Value| text(host, "/address/socket_address/address")?.parse().ok();
    let mut addresses: Vec<_> = hosts.filter_map(address).collect();
    addresses.sort_unstable();
    addresses
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mode_of_the_filter_is_found_in_the_chains_of_a_port() {
        let configuration = r#"{ "peer_exchange": { "mode": "auto" } }"#;
        let filter = json!({ "name": "tcp_peer_stats", "typed_config": { "config": { "configuration": { "value": configuration } } } });
        let chain = |port: u16, filters: Value| {
            let matched = json!({ "destination_port": port, "transport_protocol": "tls" });
            json!({ "filter_chain_match": matched, "filters": filters })
        };
        let listener = json!({ "name": "virtualInbound", "filter_chains": [
            chain(13306, json!([filter])),
            chain(13306, json!([])),
            chain(9080, json!([])),
        ] });
        let dump = json!({ "configs": [{ "active_state": { "listener": listener } }] });
        let of_port = |chain: &Value| {
            chain.pointer("/filter_chain_match/destination_port") == Some(&json!(13306))
        };
        let found = chains(&dump, |name| name == "virtualInbound", of_port);
        let [with, without] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(with.has_mode("auto") && !with.has_mode("receive"));
        assert_eq!(with.transport.as_deref(), Some("tls"));
        assert_eq!(without.filter, None);
    }

    #[test]
    fn the_endpoints_of_a_cluster_are_sorted_and_healthy() {
        let host =
            |address: &str| json!({ "address": { "socket_address": { "address": address } } });
        let mut leaving = host("10.0.0.4");
        leaving["health_status"] = json!({ "eds_health_status": "UNHEALTHY" });
        let clusters = json!({ "cluster_statuses": [
            { "name": "a", "host_statuses": [host("10.0.0.2"), host("10.0.0.1"), leaving] },
            { "name": "b", "host_statuses": [host("10.0.0.3")] },
        ] });
        let expected = [Ipv4Addr::new(10, 0, 0, 1), Ipv4Addr::new(10, 0, 0, 2)];
        assert_eq!(addresses(&clusters, "a"), expected);
    }
}
