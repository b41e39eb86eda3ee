//! A stand-in for Istio's own exchange filter, which stock Envoy does not have.
//!
//! `set_filter_state` can leave a string, so it leaves the bytes of the message that a native filter would leave.

use peer_exchange::Struct;
use prost::Message as _;
use serde_json::{Value, json};

use crate::workload::Workload;

/// A filter for an inbound chain, that knows this client.
#[must_use]
pub fn downstream_peer(client: &Workload) -> Value {
    exchange("downstream_peer", client, "NONE")
}

/// A filter for an outbound chain, that knows this server.
#[must_use]
pub fn upstream_peer(server: &Workload) -> Value {
    exchange("upstream_peer", server, "ONCE")
}

/// Every length and every byte of the message is below 0x80, so it is text as well.
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
