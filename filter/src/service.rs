//! `destination_service*`: the service that a connection asked for.

use crate::attributes::pairs;
use crate::labels::Service;

/// Clusters that stand for "no service in particular"; their own name is the service's name.
const SPECIAL_CLUSTERS: [&str; 5] = [
    "BlackHoleCluster",
    "PassthroughCluster",
    "InboundPassthroughCluster",
    "InboundPassthroughClusterIpv4",
    "InboundPassthroughClusterIpv6",
];

/// The service behind the connection's upstream cluster; what is not known stays empty.
///
/// The cluster's metadata names it (`istio.services[0]`, written by Istio's control plane); a
/// cluster without, whose name has Istio's form `direction|port|subset|host`, still tells the host.
pub(crate) fn requested(metadata: Option<&[u8]>, cluster: &str) -> Service {
    if SPECIAL_CLUSTERS.contains(&cluster) {
        return Service {
            name: cluster.to_owned(),
            ..Service::default()
        };
    }
    let metadata = metadata.and_then(pairs::parse).unwrap_or_default();
    let host = match pairs::get(&metadata, "host") {
        "" => host_of(cluster),
        host => host,
    };
    let name = match pairs::get(&metadata, "name") {
        "" => first_label(host),
        name => name,
    };
    Service {
        host: host.to_owned(),
        name: name.to_owned(),
        namespace: pairs::get(&metadata, "namespace").to_owned(),
    }
}

/// The host in a cluster name of Istio's form, or nothing.
fn host_of(cluster: &str) -> &str {
    let mut parts = cluster.split('|');
    match (
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
        parts.next(),
    ) {
        (Some("outbound" | "inbound"), Some(_), Some(_), Some(host), None) => host,
        _ => "",
    }
}

fn first_label(host: &str) -> &str {
    host.split('.').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_the_fourth_part_of_an_istio_cluster() {
        for (cluster, host) in [
            (
                "outbound|27017||mongodb.default.svc.cluster.local",
                "mongodb.default.svc.cluster.local",
            ),
            ("inbound|9080|tcp|db", "db"),
            ("inbound|27017||", ""),
            ("outbound|1|2", ""),
            ("outbound|1|2|host|more", ""),
            ("mongodb", ""),
            ("a|b|c|d", ""),
            ("", ""),
        ] {
            assert_eq!(host_of(cluster), host, "{cluster}");
        }
    }
}
