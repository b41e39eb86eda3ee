//! The protobuf messages that filters read as properties: `Node` and `Metadata`.

use std::collections::{BTreeMap, HashMap};

use prost::Message as _;

use super::Value;
use super::structs::to_struct;

/// `envoy.config.core.v3.Node`: the identity of this proxy.
#[derive(Debug, Clone, Default)]
pub struct Node {
    id: String,
    cluster: String,
    metadata: serde_json::Value,
    locality: Option<(String, String)>,
    extensions: Vec<(String, String)>,
}

impl Node {
    /// Returns a node with this id, e.g.
    /// `sidecar~10.0.0.1~ratings-v2.default~default.svc.cluster.local`.
    pub fn new(id: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            ..Self::default()
        }
    }

    /// Sets the cluster, e.g. `ratings.default`.
    #[must_use]
    pub fn cluster(mut self, cluster: impl Into<String>) -> Self {
        self.cluster = cluster.into();
        self
    }

    /// Sets the metadata `Struct`, a JSON object.
    #[must_use]
    pub fn metadata(mut self, metadata: serde_json::Value) -> Self {
        self.metadata = metadata;
        self
    }

    /// Sets the region and the zone.
    #[must_use]
    pub fn locality(mut self, region: impl Into<String>, zone: impl Into<String>) -> Self {
        self.locality = Some((region.into(), zone.into()));
        self
    }

    /// Adds an extension to the list of those that are compiled into this proxy.
    #[must_use]
    pub fn extension(mut self, category: impl Into<String>, name: impl Into<String>) -> Self {
        self.extensions.push((category.into(), name.into()));
        self
    }

    /// The node as a property: a message with fields. `release`: the numbers of Envoy's release;
    /// `None` for an Envoy that does not name it.
    pub(crate) fn to_value(&self, release: Option<[u32; 3]>) -> Value {
        let locality = self
            .locality
            .as_ref()
            .map(|(region, zone)| proto::Locality {
                region: region.clone(),
                zone: zone.clone(),
            });
        let set = locality.clone().unwrap_or_default();
        let locality_value = message(
            set.encode_to_vec(),
            [
                ("region", Value::from(set.region)),
                ("zone", Value::from(set.zone)),
                ("sub_zone", Value::from("")),
            ],
        );
        let version = release.map(proto::BuildVersion::from);
        let extensions: Vec<_> = self
            .extensions
            .iter()
            .map(|(category, name)| proto::Extension {
                name: name.clone(),
                category: category.clone(),
            })
            .collect();
        let extension_values = extensions
            .iter()
            .map(|extension| {
                message(
                    extension.encode_to_vec(),
                    [
                        ("name", Value::from(extension.name.as_str())),
                        ("category", Value::from(extension.category.as_str())),
                    ],
                )
            })
            .collect();
        let metadata = struct_fields(&self.metadata);
        let encoded = proto::Node {
            id: self.id.clone(),
            cluster: self.cluster.clone(),
            metadata: Some(to_struct(&metadata)),
            locality,
            user_agent_name: release.map_or("", |_| "envoy").to_owned(),
            user_agent_build_version: version,
            extensions,
        }
        .encode_to_vec();
        let mut fields = vec![
            ("id", Value::from(self.id.as_str())),
            ("cluster", Value::from(self.cluster.as_str())),
            ("metadata", Value::Map(metadata)),
            ("extensions", Value::List(extension_values)),
            ("locality", locality_value),
            ("dynamic_parameters", Value::map::<&str>([])),
            ("client_features", Value::List(Vec::new())),
            ("listening_addresses", Value::List(Vec::new())),
        ];
        if let Some(version) = version {
            fields.push(("user_agent_name", "envoy".into()));
            fields.push(("user_agent_version", "".into()));
            fields.push(("user_agent_build_version", version.to_value()));
        }
        message(encoded, fields)
    }
}

/// The upstream cluster, as far as a filter can read it.
#[derive(Debug, Clone, Default)]
pub struct Cluster {
    pub(crate) name: String,
    pub(crate) alpn: Vec<String>,
    metadata: serde_json::Value,
}

impl Cluster {
    /// Returns a cluster with this name, e.g.
    /// `outbound|27017||mongodb.default.svc.cluster.local`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            ..Self::default()
        }
    }

    /// Sets the metadata: one JSON object for each `filter_metadata` namespace.
    #[must_use]
    pub fn metadata(mut self, filter_metadata: serde_json::Value) -> Self {
        self.metadata = filter_metadata;
        self
    }

    /// Sets the ALPN protocols of the cluster's TLS context.
    #[must_use]
    pub fn alpn<S: Into<String>>(mut self, protocols: impl IntoIterator<Item = S>) -> Self {
        self.alpn = protocols.into_iter().map(Into::into).collect();
        self
    }

    /// `envoy.config.core.v3.Metadata`; empty if it was not set.
    pub(crate) fn metadata_value(&self) -> Value {
        metadata_message(&self.metadata)
    }
}

/// The upstream endpoint that the load balancer chose.
#[derive(Debug, Clone, Default)]
pub struct UpstreamHost {
    pub(crate) address: String,
    metadata: Option<serde_json::Value>,
}

impl UpstreamHost {
    /// Returns an endpoint with this `ip:port`.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            address: address.into(),
            metadata: None,
        }
    }

    /// Sets the metadata: one JSON object for each `filter_metadata` namespace.
    #[must_use]
    pub fn metadata(mut self, filter_metadata: serde_json::Value) -> Self {
        self.metadata = Some(filter_metadata);
        self
    }

    /// `envoy.config.core.v3.Metadata`; null if it was not set, for which Envoy 1.36 to 1.40
    /// returns `SerializationFailure`.
    pub(crate) fn metadata_value(&self) -> Value {
        self.metadata.as_ref().map_or(Value::Null, metadata_message)
    }
}

fn message(encoded: Vec<u8>, fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    let fields = fields
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    Value::Message { encoded, fields }
}

fn metadata_message(filter_metadata: &serde_json::Value) -> Value {
    let namespaces: HashMap<_, _> = filter_metadata
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, json)| (name.clone(), to_struct(&struct_fields(json))))
        .collect();
    let encoded = proto::Metadata {
        filter_metadata: namespaces,
    }
    .encode_to_vec();
    message(
        encoded,
        [(
            "filter_metadata",
            Value::Map(struct_fields(filter_metadata)),
        )],
    )
}

/// The fields of a `Struct`; none if it was not set.
fn struct_fields(json: &serde_json::Value) -> BTreeMap<String, Value> {
    match Value::from(json) {
        Value::Map(fields) => fields,
        _ => BTreeMap::new(),
    }
}

/// The fields of `envoy.config.core.v3` that a network filter reads.
mod proto {
    use std::collections::HashMap;

    use prost::Message as _;

    use crate::property::Value;

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Node {
        #[prost(string, tag = "1")]
        pub(super) id: String,
        #[prost(string, tag = "2")]
        pub(super) cluster: String,
        #[prost(message, optional, tag = "3")]
        pub(super) metadata: Option<prost_types::Struct>,
        #[prost(message, optional, tag = "4")]
        pub(super) locality: Option<Locality>,
        #[prost(string, tag = "6")]
        pub(super) user_agent_name: String,
        #[prost(message, optional, tag = "8")]
        pub(super) user_agent_build_version: Option<BuildVersion>,
        #[prost(message, repeated, tag = "9")]
        pub(super) extensions: Vec<Extension>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Locality {
        #[prost(string, tag = "1")]
        pub(super) region: String,
        #[prost(string, tag = "2")]
        pub(super) zone: String,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    pub(super) struct BuildVersion {
        #[prost(message, optional, tag = "1")]
        version: Option<SemanticVersion>,
    }

    #[derive(Clone, Copy, PartialEq, prost::Message)]
    struct SemanticVersion {
        #[prost(uint32, tag = "1")]
        major_number: u32,
        #[prost(uint32, tag = "2")]
        minor_number: u32,
        #[prost(uint32, tag = "3")]
        patch: u32,
    }

    impl From<[u32; 3]> for BuildVersion {
        fn from([major_number, minor_number, patch]: [u32; 3]) -> Self {
            Self {
                version: Some(SemanticVersion {
                    major_number,
                    minor_number,
                    patch,
                }),
            }
        }
    }

    impl BuildVersion {
        pub(super) fn to_value(self) -> Value {
            let version = self.version.unwrap_or_default();
            let numbers = [
                ("major_number", version.major_number),
                ("minor_number", version.minor_number),
                ("patch", version.patch),
            ];
            let numbers = numbers.map(|(name, number)| (name, Value::Uint(number.into())));
            let version = super::message(version.encode_to_vec(), numbers);
            super::message(self.encode_to_vec(), [("version", version)])
        }
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Extension {
        #[prost(string, tag = "1")]
        pub(super) name: String,
        #[prost(string, tag = "2")]
        pub(super) category: String,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Metadata {
        #[prost(map = "string, message", tag = "1")]
        pub(super) filter_metadata: HashMap<String, prost_types::Struct>,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_node_is_bytes_as_a_whole_and_a_tree_below() {
        let node = Node::new("n")
            .metadata(json!({"LABELS": {"app": "x"}}))
            .extension("c", "e")
            .to_value(Some([1, 40, 0]));
        assert_eq!(
            node.at(["metadata", "LABELS", "app"]),
            Some(&Value::from("x"))
        );
        assert_eq!(
            node.at(["extensions", "0", "name"]),
            Some(&Value::from("e"))
        );
        let version = ["user_agent_build_version", "version", "minor_number"];
        assert_eq!(node.at(version), Some(&Value::Uint(40)));
        let whole = proto::Node::decode(node.encode().unwrap().as_slice()).unwrap();
        assert_eq!(whole.id, "n");
        assert_eq!(whole.extensions[0].category, "c");
        assert!(whole.metadata.unwrap().fields.contains_key("LABELS"));
    }

    #[test]
    fn absent_host_metadata_cannot_be_serialized() {
        assert!(
            UpstreamHost::new("10.0.0.1:1")
                .metadata_value()
                .encode()
                .is_err()
        );
        let host = UpstreamHost::new("10.0.0.1:1").metadata(json!({"istio": {"workload": "w"}}));
        assert_eq!(
            host.metadata_value()
                .at(["filter_metadata", "istio", "workload"]),
            Some(&Value::from("w"))
        );
    }
}
