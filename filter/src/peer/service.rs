//! `destination_service*`: the service that the client requested.

mod consul;
mod parts;

use parts::ServiceParts;

use crate::host::attributes::pairs;
use crate::labels::{Service, first_known};

/// Clusters of no particular service. Their own name is the service's name.
const SPECIAL_CLUSTERS: [&str; 5] = [
    "BlackHoleCluster",
    "PassthroughCluster",
    "InboundPassthroughCluster",
    "InboundPassthroughClusterIpv4",
    "InboundPassthroughClusterIpv6",
];

/// The service of the connection's upstream cluster; an unknown value is empty.
///
/// The cluster's metadata names it (`istio.services[0]`, written by Istio's control plane). Values
/// that the metadata lacks are read from the host in the cluster's name, if there is one.
pub(super) fn requested(metadata: Option<&[u8]>, cluster: &str) -> Service {
    if SPECIAL_CLUSTERS.contains(&cluster) {
        return Service {
            name: cluster.to_owned(),
            ..Service::default()
        };
    }
    let metadata = metadata.and_then(pairs::parse).unwrap_or_default();
    let [host, name, namespace] =
        ["host", "name", "namespace"].map(|key| pairs::get(&metadata, key));
    let (host, upstream) = match host {
        "" => host_of(cluster).map_or(("", cluster), |host| (host, "")),
        host => (host, ""),
    };
    let parts = match name.is_empty() || namespace.is_empty() {
        true => parts_of(host),
        false => ServiceParts::default(),
    };
    Service {
        host: host.to_owned(),
        name: first_known(name, parts.name).to_owned(),
        namespace: first_known(namespace, parts.namespace).to_owned(),
        cluster: parts.cluster.to_owned(),
        upstream: upstream.to_owned(),
    }
}

/// The host in a cluster's name; `""` if the name's form has a place for a host and it is empty.
fn host_of(cluster: &str) -> Option<&str> {
    istio(cluster)
        .or_else(|| consul::host(cluster))
        .or_else(|| kubernetes(cluster))
}

/// Istio's clusters: `direction|port|subset|host`, where inbound ones have no host; and those
/// behind a gateway with `AUTO_PASSTHROUGH`, `direction_.port_.subset_.host`, the SNI of Istio's
/// clients.
fn istio(cluster: &str) -> Option<&str> {
    ["|", "_."].into_iter().find_map(|separator| {
        let mut parts = cluster.splitn(4, separator);
        let (direction, _port, _subset, host) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        match direction {
            _ if host.contains('|') => None,
            "inbound" => Some(host),
            "inbound-vip" | "outbound" if !host.is_empty() => Some(host),
            _ => None,
        }
    })
}

/// Clusters that are named like a service of Kubernetes.
fn kubernetes(cluster: &str) -> Option<&str> {
    parts_in_kubernetes(cluster).map(|_| cluster)
}

/// The parts of a host's name; a host outside the mesh is its own name.
fn parts_of(host: &str) -> ServiceParts<'_> {
    parts_in_kubernetes(host)
        .or_else(|| consul::parts(host))
        .unwrap_or_else(|| ServiceParts {
            name: host,
            ..ServiceParts::default()
        })
}

/// Reads `NAME.NAMESPACE.svc.DOMAIN` with any domain.
fn parts_in_kubernetes(host: &str) -> Option<ServiceParts<'_>> {
    let mut labels = host.splitn(4, '.');
    match (labels.next()?, labels.next()?, labels.next()?) {
        (name, namespace, "svc") if !name.is_empty() && !namespace.is_empty() => {
            Some(ServiceParts {
                name,
                namespace,
                ..ServiceParts::default()
            })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
