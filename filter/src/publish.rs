//! The peer for others: access logs, network RBAC, other filters and our own expressions.
//!
//! It is a `google.protobuf.Struct` in the connection's filter state, `wasm.downstream_peer` on
//! the server's side and `wasm.upstream_peer` on the client's, with the fields' names of modern
//! Istio and those of Istio 1.7. Declared as such a message, CEL can walk it.

use peer_exchange::{Metadata, Struct, Value};
use prost::Message as _;

use crate::envoy::DeclarePropertyArguments;
use crate::host::{Host, Status};
use crate::labels::{Reporter, Workload};

/// The property of the peer that a reporter sees.
pub(crate) fn property(reporter: Reporter) -> &'static str {
    match reporter {
        Reporter::Source => "upstream_peer",
        Reporter::Destination | Reporter::Waypoint => "downstream_peer",
    }
}

/// Tells the host what the properties are, once per root context.
pub(crate) fn declare<H: Host>(host: &H) {
    for reporter in [Reporter::Source, Reporter::Destination] {
        let argument = DeclarePropertyArguments {
            name: property(reporter).to_owned(),
            kind: DeclarePropertyArguments::PROTOBUF,
            schema: b"type.googleapis.com/google.protobuf.Struct".to_vec(),
            span: DeclarePropertyArguments::DOWNSTREAM_CONNECTION,
            ..DeclarePropertyArguments::default()
        };
        match host.call_foreign_function("declare_property", &argument.encode_to_vec()) {
            // A second configuration of the same context finds it declared.
            Ok(_) | Err(Status::BAD_ARGUMENT) => {}
            Err(status) => log::warn!(
                "{} cannot be declared: expressions will not see the peer: {status}",
                property(reporter)
            ),
        }
    }
}

/// Leaves what is known of the peer in the connection's filter state; nothing if nothing is.
pub(crate) fn publish<H: Host>(
    host: &H,
    reporter: Reporter,
    peer: &Workload,
    exchanged: Option<&Metadata>,
) -> Result<(), Status> {
    let message = describe(peer, exchanged);
    if message.fields.is_empty() {
        return Ok(());
    }
    host.set_property(property(reporter), &message.encode_to_vec())
}

fn describe(peer: &Workload, exchanged: Option<&Metadata>) -> Struct {
    let nothing = Metadata::default();
    let metadata = exchanged.unwrap_or(&nothing);
    let mut labels = strings([
        ("app", &peer.app),
        ("version", &peer.version),
        ("service.istio.io/canonical-name", &peer.canonical_service),
        (
            "service.istio.io/canonical-revision",
            &peer.canonical_revision,
        ),
    ]);
    for (name, value) in &metadata.labels {
        labels.insert(name, value.as_str());
    }
    let mut message = strings([
        ("app", peer.app.as_str()),
        ("availability_zone", &metadata.availability_zone),
        ("cluster", &peer.cluster),
        ("cluster_id", &peer.cluster),
        ("identity", &peer.principal),
        ("istio_version", &metadata.istio_version),
        ("mesh_id", &metadata.mesh_id),
        ("name", &metadata.name),
        ("namespace", &peer.namespace),
        ("owner", &metadata.owner),
        ("region", &metadata.region),
        ("revision", &peer.canonical_revision),
        ("service", &peer.canonical_service),
        ("type", metadata.workload_type()),
        ("version", &peer.version),
        ("workload", &peer.workload),
        ("workload_name", &peer.workload),
    ]);
    let mut platform = Struct::default();
    for (name, value) in &metadata.platform_metadata {
        platform.insert(name, value.as_str());
    }
    for (name, map) in [("labels", labels), ("platform_metadata", platform)] {
        if !map.fields.is_empty() {
            message.insert(name, map);
        }
    }
    message
}

/// The members that are not empty.
fn strings<const N: usize>(members: [(&str, &str); N]) -> Struct {
    members
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name, Value::from(value)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    fn published(peer: &Workload, exchanged: Option<&Metadata>) -> Option<Struct> {
        let host = FakeHost::default();
        publish(&&host, Reporter::Source, peer, exchanged).expect("a host that takes it");
        let raw = host.properties.borrow().get("upstream_peer").cloned()?;
        Some(Struct::decode(raw.as_slice()).expect("a Struct"))
    }

    #[test]
    fn a_peer_has_the_names_of_both_worlds() {
        let peer = Workload {
            workload: "mongodb-v1".to_owned(),
            canonical_service: "mongodb".to_owned(),
            namespace: "data".to_owned(),
            principal: "spiffe://td/ns/data/sa/mongodb".to_owned(),
            cluster: "Kubernetes".to_owned(),
            ..Workload::default()
        };
        let metadata = Metadata {
            name: "mongodb-v1-0".to_owned(),
            owner: "kubernetes://apis/apps/v1/namespaces/data/deployments/mongodb-v1".to_owned(),
            workload_name: "mongodb-v1".to_owned(),
            labels: [("role".to_owned(), "primary".to_owned())].into(),
            ..Metadata::default()
        };
        let labels = Struct::from_iter([
            ("service.istio.io/canonical-name", "mongodb"),
            ("role", "primary"),
        ]);
        let mut expected = Struct::from_iter([
            ("cluster", "Kubernetes"),
            ("cluster_id", "Kubernetes"),
            ("identity", "spiffe://td/ns/data/sa/mongodb"),
            ("name", "mongodb-v1-0"),
            ("namespace", "data"),
            ("owner", &metadata.owner),
            ("service", "mongodb"),
            ("type", "deployment"),
            ("workload", "mongodb-v1"),
            ("workload_name", "mongodb-v1"),
        ]);
        expected.insert("labels", labels);
        assert_eq!(published(&peer, Some(&metadata)), Some(expected));
    }

    #[test]
    fn nobody_is_not_published() {
        assert_eq!(published(&Workload::default(), None), None);
    }
}
