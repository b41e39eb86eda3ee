//! Consul's clusters. They are named by the SNI of their services, which has the parts of the
//! service in fixed places in front of the trust domain `ID.consul`:
//!
//! | SNI | Of |
//! | --- | --- |
//! | `[SUBSET.]SERVICE.NAMESPACE.DATACENTER.internal.ID.consul` | a service |
//! | `[SUBSET.]SERVICE.NAMESPACE.PARTITION.DATACENTER.internal-v1.ID.consul` | one in a partition |
//! | `SERVICE.NAMESPACE.PARTITION.PEER.external.ID.consul` | one of a peered Consul cluster |
//! | `NAME.default.DATACENTER.query.ID.consul` | a prepared query |
//!
//! Read in Consul's `agent/connect/sni.go`.

use super::Place;

/// The SNI in a cluster's name. In front of it may be what the cluster is for, such as
/// `failover-target~` or the hash of its settings.
pub(super) fn host(cluster: &str) -> Option<&str> {
    let sni = cluster.rsplit('~').next()?;
    place(sni).map(|_| sni)
}

/// What an SNI tells of its service.
pub(super) fn place(sni: &str) -> Option<Place<'_>> {
    let (rest, id) = sni.strip_suffix(".consul")?.rsplit_once('.')?;
    let (rest, kind) = rest.rsplit_once('.')?;
    let parts: Vec<_> = rest.split('.').collect();
    let (name, namespace, cluster) = match (kind, parts.as_slice()) {
        ("internal", [name, namespace, datacenter] | [_, name, namespace, datacenter])
        | ("query", [name, namespace, datacenter])
        | ("internal-v1", [name, namespace, _, datacenter] | [_, name, namespace, _, datacenter]) => {
            (name, namespace, *datacenter)
        }
        // The peer's name is this side's choice and no data centre.
        ("external", [name, namespace, _partition, _peer]) => (name, namespace, ""),
        _ => return None,
    };
    let whole = !id.is_empty() && !parts.contains(&"");
    whole.then_some(Place {
        name,
        namespace,
        cluster,
    })
}
