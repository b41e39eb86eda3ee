//! A replacement for Istio's native exchange filter, which stock Envoy does not have.
//!
//! `set_filter_state` writes the bytes of the native filter's message as a string.

use peer_exchange::Struct;
use prost::Message as _;
use serde_json::{Value, json};

use crate::workload::Workload;

/// A filter for an inbound chain that writes this client's metadata.
#[must_use]
pub fn downstream_peer(client: &Workload) -> Value {
    exchange("downstream_peer", client, "NONE")
}

/// A filter for an outbound chain that writes this server's metadata.
#[must_use]
pub fn upstream_peer(server: &Workload) -> Value {
    exchange("upstream_peer", server, "ONCE")
}

/// All bytes of the message are below 0x80, so it is valid UTF-8.
fn exchange(key: &str, peer: &Workload, shared: &str) -> Value {
    let message = Struct::from_iter([
        ("workload", peer.name.as_str()),
        ("namespace", &peer.namespace),
        ("service", &peer.app),
        ("revision", &peer.version),
        ("app", &peer.app),
        ("version", &peer.version),
        ("cluster", &peer.cluster_id),
    ]);
    let bytes = message.encode_to_vec();
    json!({
        "name": "envoy.filters.network.set_filter_state",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
            "on_new_connection": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": String::from_utf8_lossy(&bytes) } },
                "shared_with_upstream": shared,
            }],
        },
    })
}
