//! The peer in the connection's filter state, for access logs, network RBAC, other filters and the
//! configured expressions.
//!
//! It is a `google.protobuf.Struct`, `wasm.downstream_peer` on the server's side and
//! `wasm.upstream_peer` on the client's. Its fields have the names of modern Istio and those of
//! Istio 1.7. Declared as a message, CEL expressions can select its fields.

use peer_exchange::{Metadata, Struct, Value};
use prost::Message as _;

use crate::config::PEER_MAPS;
use crate::host::envoy::DeclarePropertyArguments;
use crate::host::{Host, Status};
use crate::labels::{Reporter, Workload, sanitize};

/// The limit on the bytes of a peer's labels, and on those of its platform's metadata. The host
/// keeps them as long as the connection lasts.
const MAX_MAP_LEN: usize = 8 * 1024;

/// The property of a reporter's peer.
pub(crate) fn property(reporter: Reporter) -> &'static str {
    match reporter {
        Reporter::Source => "upstream_peer",
        Reporter::Destination | Reporter::Waypoint => "downstream_peer",
    }
}

/// Declares the properties, once per root context.
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
                "declaring the property {} failed: {status}; expressions cannot read the peer",
                property(reporter)
            ),
        }
    }
}

/// Writes the encoded peer to the connection's filter state, unless nothing is known of it.
pub(crate) fn write<H: Host>(host: &H, reporter: Reporter, peer: &[u8]) -> Result<(), Status> {
    match peer {
        [] => Ok(()),
        peer => host.set_property(property(reporter), peer),
    }
}

/// The peer's message. Its texts have up to `max` bytes and no control characters: they go into
/// logs and stay as long as the connection.
pub(super) fn peer(peer: &Workload, metadata: Option<&Metadata>, max: usize) -> Struct {
    let nothing = Metadata::default();
    let metadata = metadata.unwrap_or(&nothing);
    let labels = [
        ("app", peer.app.as_str()),
        ("version", &peer.version),
        ("service.istio.io/canonical-name", &peer.canonical_service),
        (
            "service.istio.io/canonical-revision",
            &peer.canonical_revision,
        ),
    ];
    let mut labels = texts(&labels, max);
    add(&mut labels, &metadata.labels, max);
    let mut platform = Struct::default();
    add(&mut platform, &metadata.platform_metadata, max);
    let fields = [
        ("app", peer.app.as_str()),
        ("app_containers", &metadata.app_containers),
        ("availability_zone", &metadata.availability_zone),
        ("cluster", &peer.cluster),
        ("cluster_id", &peer.cluster),
        ("identity", &peer.principal),
        ("instance_ips", &metadata.instance_ips),
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
    ];
    let mut message = texts(&fields, max);
    for (name, map) in PEER_MAPS.into_iter().zip([labels, platform]) {
        if !map.fields.is_empty() {
            message.insert(name, map);
        }
    }
    message
}

/// Adds the fields that only a native exchange filter's peer has: its type, location and name, and
/// its additional labels.
pub(super) fn add_native(message: &mut Struct, native: &Struct, max: usize) {
    for (name, value) in &native.fields {
        if let Some(map) = native.child(name) {
            let mut pairs = Vec::with_capacity(map.fields.len());
            for (name, value) in &map.fields {
                pairs.push((name.clone(), value.as_str().to_owned()));
            }
            let mut completed = message.child(name).cloned().unwrap_or_default();
            add(&mut completed, &pairs, max);
            message.insert(name, completed);
        } else if !message.fields.contains_key(name) {
            message.insert(name, sanitize(value.as_str(), max).as_ref());
        }
    }
}

/// The members that are not empty.
fn texts(members: &[(&str, &str)], max: usize) -> Struct {
    let mut message = Struct::default();
    for (name, value) in members.iter().filter(|(_, value)| !value.is_empty()) {
        message.insert(*name, sanitize(value, max).as_ref());
    }
    message
}

/// Adds the pairs of a map, up to the limit of its bytes.
fn add(message: &mut Struct, map: &[(String, String)], max: usize) {
    let mut room = MAX_MAP_LEN;
    for (name, value) in map {
        let (name, value) = (sanitize(name, max), sanitize(value, max));
        match room.checked_sub(name.len() + value.len()) {
            Some(left) => room = left,
            None => return,
        }
        message.insert(name, Value::from(value.as_ref()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::FakeHost;

    fn written(peer: &Workload, exchanged: Option<&Metadata>) -> Option<Struct> {
        let host = FakeHost::default();
        let message = super::peer(peer, exchanged, 512);
        write(&&host, Reporter::Source, &message.encode_to_vec()).expect("a host that takes it");
        let raw = host.properties.borrow().get("upstream_peer").cloned()?;
        Some(Struct::decode(raw.as_slice()).expect("a Struct"))
    }

    #[test]
    fn a_peer_has_the_fields_of_modern_istio_and_of_istio_1_7() {
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
            instance_ips: "10.0.0.1,fe80::1".to_owned(),
            app_containers: "mongodb".to_owned(),
            labels: [("role".to_owned(), "primary".to_owned())].into(),
            ..Metadata::default()
        };
        let labels = Struct::from_iter([
            ("service.istio.io/canonical-name", "mongodb"),
            ("role", "primary"),
        ]);
        let mut expected = Struct::from_iter([
            ("app_containers", "mongodb"),
            ("cluster", "Kubernetes"),
            ("cluster_id", "Kubernetes"),
            ("identity", "spiffe://td/ns/data/sa/mongodb"),
            ("instance_ips", "10.0.0.1,fe80::1"),
            ("name", "mongodb-v1-0"),
            ("namespace", "data"),
            ("owner", &metadata.owner),
            ("service", "mongodb"),
            ("type", "deployment"),
            ("workload", "mongodb-v1"),
            ("workload_name", "mongodb-v1"),
        ]);
        expected.insert("labels", labels);
        assert_eq!(written(&peer, Some(&metadata)), Some(expected));
    }

    #[test]
    fn a_native_filters_peer_adds_its_own_fields() {
        let mut native = Struct::from_iter([("workload", "native"), ("type", "deployment")]);
        native.insert("labels", Struct::from_iter([("role", "primary\n")]));
        let peer = Workload {
            workload: "known".to_owned(),
            app: "a".to_owned(),
            ..Workload::default()
        };
        let mut message = super::peer(&peer, None, 512);
        add_native(&mut message, &native, 512);
        assert_eq!(message.string("workload"), "known");
        assert_eq!(message.string("type"), "deployment");
        let labels = Struct::from_iter([("app", "a"), ("role", "primary_")]);
        assert_eq!(message.child("labels"), Some(&labels));
    }

    #[test]
    fn an_unknown_peer_is_not_written() {
        assert_eq!(written(&Workload::default(), None), None);
    }

    #[test]
    fn a_peers_texts_are_bounded_and_have_no_control_characters() {
        let long = |index: u32| (format!("{index:04}"), "x".repeat(5000));
        let metadata = Metadata {
            owner: "o".repeat(60_000),
            labels: (0..1000).map(long).collect(),
            ..Metadata::default()
        };
        let peer = Workload {
            workload: "evil\n{\"level\":\"info\"}\u{1b}[2J".to_owned(),
            ..Workload::default()
        };
        let message = super::peer(&peer, Some(&metadata), 512);
        assert_eq!(message.string("workload"), "evil_{\"level\":\"info\"}_[2J");
        assert_eq!(message.string("owner").len(), 512);
        let labels = message.child("labels").expect("labels");
        assert_eq!(labels.fields.len(), MAX_MAP_LEN / 516);
        assert!(message.encoded_len() < 2 * MAX_MAP_LEN);
    }
}
