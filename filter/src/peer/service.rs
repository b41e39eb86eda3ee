//! `destination_service*`: the service that a connection asked for.

mod consul;

use crate::host::attributes::pairs;
use crate::labels::{Service, either};

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
/// The cluster's metadata names it (`istio.services[0]`, written by Istio's control plane). What
/// the metadata lacks is read from the host in the cluster's name, where the name has one.
pub(crate) fn requested(metadata: Option<&[u8]>, cluster: &str) -> Service {
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
    let place = match name.is_empty() || namespace.is_empty() {
        true => Place::of(host),
        false => Place::default(),
    };
    Service {
        host: host.to_owned(),
        name: either(name, place.name).to_owned(),
        namespace: either(namespace, place.namespace).to_owned(),
        cluster: place.cluster.to_owned(),
        upstream: upstream.to_owned(),
    }
}

/// The host in a cluster's name; `""` if the name's form has a place for a host and it is empty.
fn host_of(cluster: &str) -> Option<&str> {
    istio(cluster)
        .or_else(|| consul::host(cluster))
        .or_else(|| kubernetes(cluster))
}

/// Istio's clusters: `direction|port|subset|host`, where inbound ones have no host; and those behind
/// a gateway with `AUTO_PASSTHROUGH`, `direction_.port_.subset_.host`, the SNI of Istio's clients.
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
    Place::in_kubernetes(cluster).map(|_| cluster)
}

/// What a host tells of its service.
#[derive(Clone, Copy, Debug, Default)]
struct Place<'a> {
    name: &'a str,
    namespace: &'a str,
    /// The data centre, in Consul.
    cluster: &'a str,
}

impl<'a> Place<'a> {
    fn of(host: &'a str) -> Self {
        let known = Self::in_kubernetes(host).or_else(|| consul::place(host));
        // Hosts outside the mesh are told apart by their whole name only.
        known.unwrap_or_else(|| Self {
            name: host,
            ..Self::default()
        })
    }

    /// Reads `NAME.NAMESPACE.svc.DOMAIN`, whatever the cluster's domain is.
    fn in_kubernetes(host: &'a str) -> Option<Self> {
        let mut labels = host.splitn(4, '.');
        match (labels.next()?, labels.next()?, labels.next()?) {
            (name, namespace, "svc") if !name.is_empty() && !namespace.is_empty() => Some(Self {
                name,
                namespace,
                ..Self::default()
            }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
