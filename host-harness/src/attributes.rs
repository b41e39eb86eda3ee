//! The attributes of a context: which ones exist at which moment of a stream, under which root.

use crate::config::Plugin;
use crate::profile::Profile;
use crate::property::{Cluster, Value};
use crate::stream_info::StreamInfo;
use crate::tls::Tls;

/// The state that a lookup reads from.
pub(crate) struct Scope<'a> {
    pub(crate) profile: Profile,
    pub(crate) node: &'a Value,
    pub(crate) plugin: &'a Plugin,
    /// `None` in a root context.
    pub(crate) stream: Option<&'a StreamInfo>,
    /// The numbers of bytes that were read from the client and written to it.
    pub(crate) sizes: (usize, usize),
}

/// Returns the value at a property path with NUL separators. A path that is only the name of a
/// property of the filter returns the bytes that were set, whatever type was declared. Envoy:
/// `Context::getProperty`.
pub(crate) fn lookup(scope: &Scope<'_>, path: &str) -> Option<Value> {
    let path = path.strip_suffix('\0').unwrap_or(path);
    if path.contains('\0') {
        return select(scope, path.split('\0'));
    }
    scope.attribute(path).or_else(|| {
        let object = scope.stream?.filter_state.property(path)?;
        Some(object.bytes().to_vec().into())
    })
}

/// Returns the value that a path of names selects in an expression. Envoy: `Context::FindValue`.
pub(crate) fn select<'a>(
    scope: &Scope<'_>,
    mut path: impl Iterator<Item = &'a str>,
) -> Option<Value> {
    let name = path.next()?;
    let root = scope.attribute(name).or_else(|| {
        let object = scope.stream?.filter_state.property(name)?;
        Some(object.value().clone())
    })?;
    root.at(path).cloned()
}

impl Scope<'_> {
    /// The attribute root of this name, without the fields that this version of Envoy lacks.
    fn attribute(&self, name: &str) -> Option<Value> {
        let mut root = self.attribute_of_any(name)?;
        if let Value::Attributes(fields) = &mut root {
            for field in self.profile.lacking(name) {
                fields.remove(field);
            }
        }
        Some(root)
    }

    fn attribute_of_any(&self, name: &str) -> Option<Value> {
        if self.profile == Profile::Legacy
            && let Some(value) = self.proxy_attribute(name)
        {
            return Some(value);
        }
        match name {
            "xds" if self.profile.has_xds() => {
                Some(Value::attributes(PROXY_ATTRIBUTES.iter().filter_map(
                    |name| Some((*name, self.proxy_attribute(name)?)),
                )))
            }
            "plugin_name" => Some(self.plugin.name.as_str().into()),
            "plugin_root_id" => Some(self.plugin.root_id.as_str().into()),
            "plugin_vm_id" => Some(self.plugin.vm_id.as_str().into()),
            "request" => Some(self.stream?.request(self.sizes.0)),
            "response" => Some(self.stream?.response(self.sizes.1)),
            _ => self.stream?.attribute(name),
        }
    }

    /// The attributes below `xds.`. Before Envoy 1.33 they are roots as well (Envoy source:
    /// `changelogs/1.33.0.yaml`).
    fn proxy_attribute(&self, name: &str) -> Option<Value> {
        if name == "node" {
            return Some(self.node.clone());
        }
        let stream = self.stream?;
        match name {
            "listener_direction" => Some(Value::Int(self.plugin.direction as i64)),
            "filter_chain_name" => Some(stream.filter_chain_name.as_str().into()),
            "cluster_name" => Some(stream.upstream.as_ref()?.cluster.name.as_str().into()),
            "cluster_metadata" => Some(stream.upstream.as_ref()?.cluster.metadata_value()),
            "upstream_host_metadata" => {
                Some(stream.upstream.as_ref()?.host.as_ref()?.metadata_value())
            }
            "upstream_host_locality_metadata" => stream.upstream.as_ref().map(|_| Value::Null),
            "listener_metadata" => Some(no_metadata()),
            // Since Envoy 1.36 a TCP stream has no route.
            "route_name" if self.profile == Profile::Legacy => Some("".into()),
            _ => None,
        }
    }
}

/// The attributes below `xds.`.
pub(crate) const PROXY_ATTRIBUTES: [&str; 9] = [
    "node",
    "listener_direction",
    "filter_chain_name",
    "cluster_name",
    "cluster_metadata",
    "upstream_host_metadata",
    "upstream_host_locality_metadata",
    "listener_metadata",
    "route_name",
];

/// The local address of all upstream connections: the default source of the next proxy.
const LOCAL_ADDRESS: &str = "127.0.0.1:40000";

/// The text of a digest of 32 bytes.
const NO_DIGEST: &str = "0000000000000000000000000000000000000000000000000000000000000000";

impl StreamInfo {
    fn attribute(&self, name: &str) -> Option<Value> {
        match name {
            "connection_id" => Some(Value::Uint(self.connection_id)),
            "connection" => Some(self.connection()),
            "upstream" => Some(self.upstream_attributes()),
            "source" => Some(peer(&self.source)),
            "destination" => Some(peer(&self.destination)),
            "upstream_filter_state" => Some(self.upstream.as_ref()?.filter_state.to_value()),
            "metadata" => Some(no_metadata()),
            "filter_state" => Some(self.filter_state.to_value()),
            _ => None,
        }
    }

    /// An attribute root of HTTP: empty headers in a TCP stream.
    fn request(&self, size: usize) -> Value {
        let time = i64::try_from(self.accepted.as_nanos()).unwrap_or(i64::MAX);
        Value::attributes([
            ("headers", no_headers()),
            ("headers_bytes", Value::Int(0)),
            ("size", Value::Int(size as i64)),
            ("time", Value::Int(time)),
            ("total_size", Value::Int(size as i64)),
        ])
    }

    /// An attribute root of HTTP, likewise.
    fn response(&self, size: usize) -> Value {
        Value::attributes([
            ("flags", Value::Int(self.response_flags)),
            ("headers", no_headers()),
            ("headers_bytes", Value::Int(0)),
            ("size", Value::Int(size as i64)),
            ("total_size", Value::Int(size as i64)),
            ("trailers", no_headers()),
        ])
    }

    /// Before the handshake is complete, only the local side is known, and `mtls` is false.
    fn connection(&self) -> Value {
        let mut fields = vec![("id", Value::Uint(self.connection_id))];
        let mtls = self.handshake_done
            && self
                .downstream_tls
                .as_ref()
                .is_some_and(|tls| !tls.peer_sans.is_empty());
        fields.push(("mtls", Value::Bool(mtls)));
        fields.push(("requested_server_name", self.server_name().into()));
        if let Some(tls) = &self.downstream_tls {
            fields.extend(tls_fields(tls, self.handshake_done));
        }
        Value::attributes(fields)
    }

    /// The failure reason and the number of attempts exist before an upstream is chosen.
    fn upstream_attributes(&self) -> Value {
        let failure = self.upstream_failure.as_deref().unwrap_or_default();
        let mut fields = vec![
            ("transport_failure_reason", failure.into()),
            ("request_attempt_count", Value::Uint(self.attempts)),
        ];
        let Some(upstream) = &self.upstream else {
            return Value::attributes(fields);
        };
        fields.push(("num_endpoints", Value::Uint(1)));
        if let Some(host) = &upstream.host {
            fields.push(("address", host.address.as_str().into()));
            fields.push(("local_address", LOCAL_ADDRESS.into()));
            fields.push(("locality", Value::message()));
            fields.push(("cx_pool_ready_duration", Value::Int(0)));
            fields.extend(port(&host.address).map(|port| ("port", port)));
        }
        if let Some(tls) = &upstream.tls {
            fields.extend(tls_fields(tls, true));
        }
        Value::attributes(fields)
    }
}

/// Certificates have no subject here, as those of Istio, and the digest is of none.
fn tls_fields(tls: &Tls, handshake_done: bool) -> Vec<(&'static str, Value)> {
    let mut fields = vec![
        ("tls_version", tls.version.as_str().into()),
        ("subject_local_certificate", "".into()),
        ("subject_peer_certificate", "".into()),
    ];
    fields.extend(
        tls.local_sans
            .first()
            .map(|san| ("uri_san_local_certificate", san.as_str().into())),
    );
    if handshake_done {
        fields.extend(
            tls.peer_sans
                .first()
                .map(|san| ("uri_san_peer_certificate", san.as_str().into())),
        );
        let digest = tls.peer_sans.first().map(|_| NO_DIGEST.into());
        fields.extend(digest.map(|digest| ("sha256_peer_certificate_digest", digest)));
    }
    fields
}

/// A `Metadata` message without fields.
fn no_metadata() -> Value {
    Cluster::default().metadata_value()
}

fn no_headers() -> Value {
    Value::map::<&str>([])
}

fn peer(address: &str) -> Value {
    let mut fields = vec![("address", Value::from(address))];
    fields.extend(port(address).map(|port| ("port", port)));
    Value::attributes(fields)
}

fn port(address: &str) -> Option<Value> {
    let (_, port) = address.rsplit_once(':')?;
    Some(Value::Int(port.parse().ok()?))
}
