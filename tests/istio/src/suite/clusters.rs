//! The endpoints and the transport of a proxy's clusters, as istiod configured them.

use std::net::Ipv4Addr;

use serde_json::Value;

use super::dump::{dump, get, items, text};
use crate::error::Result;
use crate::kubelet::Pod;

/// The transport of a cluster's connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    /// Mutual TLS to the endpoints whose metadata say so, plaintext to others: no DestinationRule.
    ByEndpoint,
    Plaintext,
    Tls,
}

/// The addresses of a cluster that get connections.
pub(super) fn endpoints(pod: &Pod, cluster: &str) -> Result<Vec<Ipv4Addr>> {
    Ok(addresses(&get(pod, "/clusters?format=json")?, cluster))
}

/// The transport of a cluster; `None` while it is not active.
pub(super) fn transport(pod: &Pod, cluster: &str) -> Result<Option<Transport>> {
    let clusters = dump(pod, "resource=dynamic_active_clusters")?;
    Ok(transport_in(&clusters, cluster))
}

/// Whether the metadata of each endpoint of a cluster ask for mutual TLS.
pub(super) fn tls_modes(pod: &Pod, cluster: &str) -> Result<Vec<bool>> {
    let endpoints = dump(pod, "include_eds&resource=dynamic_endpoint_configs")?;
    Ok(tls_modes_in(&endpoints, cluster))
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

fn transport_in(clusters: &Value, cluster: &str) -> Option<Transport> {
    let mut clusters = items(clusters, "/configs").filter_map(|it| it.get("cluster"));
    let found = clusters.find(|it| text(it, "/name").as_deref() == Some(cluster))?;
    let has = |name: &str| found.get(name).is_some();
    Some(if has("transport_socket_matches") {
        Transport::ByEndpoint
    } else if has("transport_socket") {
        Transport::Tls
    } else {
        Transport::Plaintext
    })
}

fn tls_modes_in(endpoints: &Value, cluster: &str) -> Vec<bool> {
    let all = items(endpoints, "/configs").filter_map(|it| it.get("endpoint_config"));
    let of = all.filter(|it| text(it, "/cluster_name").as_deref() == Some(cluster));
    let localities = of.flat_map(|it| items(it, "/endpoints"));
    let endpoints = localities.flat_map(|it| items(it, "/lb_endpoints"));
    let mode = |endpoint: &Value| {
        let place = "/metadata/filter_metadata/envoy.transport_socket_match/tlsMode";
        text(endpoint, place)
    };
    endpoints
        .map(|endpoint| mode(endpoint).as_deref() == Some("istio"))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

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

    #[test]
    fn a_rule_decides_the_transport_or_the_endpoint() {
        let clusters = json!({ "configs": [
            { "cluster": { "name": "plain" } },
            { "cluster": { "name": "tls", "transport_socket": {} } },
            { "cluster": { "name": "auto", "transport_socket_matches": [] } },
        ] });
        let of = |name| transport_in(&clusters, name);
        assert_eq!(of("plain"), Some(Transport::Plaintext));
        assert_eq!(of("tls"), Some(Transport::Tls));
        assert_eq!(of("auto"), Some(Transport::ByEndpoint));
        assert_eq!(of("absent"), None);
    }

    #[test]
    fn the_endpoints_metadata_ask_for_tls() {
        let metadata = json!({ "filter_metadata": { "envoy.transport_socket_match": { "tlsMode": "istio" } } });
        let endpoints = json!([{ "lb_endpoints": [{ "metadata": metadata }, {}] }]);
        let dump = json!({ "configs": [
            { "endpoint_config": { "cluster_name": "a", "endpoints": endpoints } },
            { "endpoint_config": { "cluster_name": "b", "endpoints": endpoints } },
        ] });
        assert_eq!(tls_modes_in(&dump, "a"), [true, false]);
    }
}
