//! The parts of the bootstraps.

use std::net::SocketAddr;
use std::path::Path;

use mesh::mesh_ca::Identity;
use serde_json::{Value, json};

/// The prefix of the type URLs of Envoy's extensions.
const TYPES: &str = "type.googleapis.com/envoy.extensions";

pub(crate) fn document(listeners: &[Value], clusters: &[Value]) -> Value {
    json!({
        "node": {
            "id": "probe",
            "cluster": "probes",
            "metadata": { "key": "value" },
            "locality": { "region": "region", "zone": "zone" },
        },
        "admin": { "address": loopback(0) },
        "static_resources": { "listeners": listeners, "clusters": clusters },
    })
}

pub(crate) fn listener(name: &str, direction: &str, filters: &[Value]) -> Value {
    json!({
        "name": name,
        "address": loopback(0),
        "traffic_direction": direction,
        "filter_chains": [{ "name": "chain", "filters": filters }],
    })
}

/// The configuration of a plugin in a VM of its own.
pub(crate) fn plugin(name: &str, code: &Path, script: &str) -> Value {
    json!({
        "name": name,
        "root_id": name,
        "vm_config": {
            "vm_id": name,
            "runtime": "envoy.wasm.runtime.v8",
            "code": super::file(&code.to_owned()),
            "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": "vm" },
        },
        "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": script },
    })
}

pub(crate) fn wasm(plugin: &Value) -> Value {
    json!({
        "name": "envoy.filters.network.wasm",
        "typed_config": { "@type": format!("{TYPES}.filters.network.wasm.v3.Wasm"), "config": plugin },
    })
}

pub(crate) fn tcp_proxy(cluster: &str) -> Value {
    json!({
        "name": "envoy.filters.network.tcp_proxy",
        "typed_config": {
            "@type": format!("{TYPES}.filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": "tcp",
            "cluster": cluster,
        },
    })
}

pub(crate) fn cluster(name: &str, address: SocketAddr, transport_socket: Value) -> Value {
    let metadata = json!({ "filter_metadata": { "space": { "key": "value" } } });
    let host = json!({ "endpoint": { "address": loopback(address.port()) }, "metadata": metadata });
    let mut cluster = json!({
        "name": name,
        "type": "STATIC",
        "connect_timeout": "5s",
        "metadata": metadata,
        "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [host] }] },
    });
    if let Some(cluster) = cluster
        .as_object_mut()
        .filter(|_| !transport_socket.is_null())
    {
        cluster.insert("transport_socket".into(), transport_socket);
    }
    cluster
}

/// The client's end of mutual TLS.
pub(crate) fn tls(identity: &Identity) -> Value {
    let config = json!({
        "@type": format!("{TYPES}.transport_sockets.tls.v3.UpstreamTlsContext"),
        "common_tls_context": certificates(identity),
    });
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": config })
}

/// The server's end of mutual TLS.
pub(crate) fn require_tls(listener: &mut Value, identity: &Identity) {
    let config = json!({
        "@type": format!("{TYPES}.transport_sockets.tls.v3.DownstreamTlsContext"),
        "require_client_certificate": true,
        "common_tls_context": certificates(identity),
    });
    let chain = listener.pointer_mut("/filter_chains/0");
    if let Some(chain) = chain.and_then(Value::as_object_mut) {
        let socket = json!({ "name": "envoy.transport_sockets.tls", "typed_config": config });
        chain.insert("transport_socket".into(), socket);
    }
}

fn certificates(identity: &Identity) -> Value {
    json!({
        "tls_certificates": [{
            "certificate_chain": { "filename": identity.chain },
            "private_key": { "filename": identity.key },
        }],
        "validation_context": { "trusted_ca": { "filename": identity.root } },
    })
}

pub(crate) fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
