//! The Envoy bootstrap of a scenario's sidecar: one listener and one cluster.

use std::net::SocketAddr;
use std::path::Path;

use envoy_process::mesh_ca::Identity;
use host_harness::ConnectMode;
use host_harness::scenario::{Scenario, Side, SidecarSpec};
use serde_json::{Value, json};

use crate::failures::STUCK_AFTER;

/// The listener's name.
pub(crate) const LISTENER: &str = "scenario";

/// The name of a listener without a filter, which answers each connection: a worker that hangs does
/// not.
pub(crate) const ALIVE: &str = "alive";

/// The prefix of the type URLs of Envoy's extensions.
const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// The inputs of a sidecar's bootstrap.
pub(crate) struct Parts<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) side: Side,
    pub(crate) spec: &'a SidecarSpec,
    pub(crate) wasm: &'a Path,
    /// The address of its upstream.
    pub(crate) upstream: SocketAddr,
    /// Its certificate; `None` without mutual TLS between the sidecars.
    pub(crate) identity: Option<&'a Identity>,
}

impl Parts<'_> {
    pub(crate) fn document(&self) -> Value {
        let node = &self.spec.node;
        let name = self.spec.cluster.name.as_deref().unwrap_or("upstream");
        let id = if node.id.is_empty() { "node" } else { &node.id };
        json!({
            "node": { "id": id, "cluster": "scenario", "metadata": or_empty(&node.metadata) },
            "admin": { "address": loopback(0) },
            "watchdogs": { "worker_watchdog": watchdog(), "main_thread_watchdog": watchdog() },
            "stats_config": { "use_all_default_tags": false, "stats_tags": self.tags() },
            "static_resources": { "listeners": [self.listener(name), alive()], "clusters": [self.cluster(name)] },
        })
    }

    fn tags(&self) -> Vec<Value> {
        let tag = |label: &String| json!({ "tag_name": label, "regex": format!(r"({label}=\.=(.*?);\.;)") });
        self.scenario.labels.iter().map(tag).collect()
    }

    fn listener(&self, cluster: &str) -> Value {
        let mut filters = Vec::new();
        filters.extend(self.spec.ja4_filter_state.as_deref().map(fingerprint));
        if self.spec.filter {
            filters.push(self.filter());
        }
        filters.push(self.tcp_proxy(cluster));
        let mut chain = json!({ "filters": filters });
        let mut listener_filters = Vec::new();
        if let (Side::Inbound, Some(identity)) = (self.side, self.identity) {
            put(
                &mut chain,
                "transport_socket",
                tls(
                    "DownstreamTlsContext",
                    &json!({
                        "require_client_certificate": true,
                        "common_tls_context": certificates(identity, json!(["istio-peer-exchange"])),
                    }),
                ),
            );
            listener_filters.push(json!({
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {
                    "@type": format!("{TYPES}.filters.listener.tls_inspector.v3.TlsInspector"),
                    "enable_ja4_fingerprinting": self.spec.ja4_filter_state.is_some(),
                },
            }));
        }
        json!({
            "name": LISTENER,
            "traffic_direction": match self.side { Side::Outbound => "OUTBOUND", Side::Inbound => "INBOUND" },
            "address": loopback(0),
            "listener_filters": listener_filters,
            "filter_chains": [chain],
        })
    }

    fn filter(&self) -> Value {
        let configuration =
            String::from_utf8_lossy(&self.scenario.configuration(self.side)).into_owned();
        let mut config = json!({
            "name": LISTENER,
            "root_id": self.spec.root_id,
            "failure_policy": "FAIL_CLOSED",
            "vm_config": {
                "runtime": "envoy.wasm.runtime.v8",
                "code": { "local": { "filename": self.wasm } },
            },
        });
        if !configuration.is_empty() {
            let text = "type.googleapis.com/google.protobuf.StringValue";
            put(
                &mut config,
                "configuration",
                json!({ "@type": text, "value": configuration }),
            );
        }
        json!({
            "name": "envoy.filters.network.wasm",
            "typed_config": {
                "@type": format!("{TYPES}.filters.network.wasm.v3.Wasm"),
                "config": config,
            },
        })
    }

    fn tcp_proxy(&self, cluster: &str) -> Value {
        let mut config = json!({
            "@type": format!("{TYPES}.filters.network.tcp_proxy.v3.TcpProxy"),
            "stat_prefix": LISTENER,
            "cluster": cluster,
        });
        let mode = self.spec.upstream_connect_mode;
        // Older Envoys do not know the field.
        if mode != ConnectMode::Immediate {
            let bytes = self.spec.max_early_data_bytes;
            put(&mut config, "upstream_connect_mode", json!(mode.name()));
            put(&mut config, "max_early_data_bytes", json!(bytes));
        }
        json!({ "name": "envoy.filters.network.tcp_proxy", "typed_config": config })
    }

    fn cluster(&self, name: &str) -> Value {
        let address = loopback(self.upstream.port());
        let mut host = json!({ "endpoint": { "address": address } });
        if !self.spec.host.metadata.is_null() {
            put(
                &mut host,
                "metadata",
                json!({ "filter_metadata": self.spec.host.metadata }),
            );
        }
        let mut cluster = json!({
            "name": name,
            "type": "STATIC",
            "connect_timeout": "5s",
            "load_assignment": { "cluster_name": name, "endpoints": [{ "lb_endpoints": [host] }] },
        });
        if !self.spec.cluster.metadata.is_null() {
            put(
                &mut cluster,
                "metadata",
                json!({ "filter_metadata": self.spec.cluster.metadata }),
            );
        }
        if let (Side::Outbound, Some(identity)) = (self.side, self.identity) {
            let context = json!({ "common_tls_context": certificates(identity, json!([])) });
            put(
                &mut cluster,
                "transport_socket",
                tls("UpstreamTlsContext", &context),
            );
        }
        cluster
    }
}

fn alive() -> Value {
    let answer = json!({
        "name": "envoy.filters.network.direct_response",
        "typed_config": {
            "@type": format!("{TYPES}.filters.network.direct_response.v3.Config"),
            "response": { "inline_string": ALIVE },
        },
    });
    json!({
        "name": ALIVE,
        // Its connections are not those of the scenario.
        "stat_prefix": ALIVE,
        "address": loopback(0),
        "filter_chains": [{ "filters": [answer] }],
    })
}

/// A watchdog that only counts, and not before it is certain.
fn watchdog() -> Value {
    json!({ "miss_timeout": STUCK_AFTER, "megamiss_timeout": STUCK_AFTER })
}

/// Stores the JA4 fingerprint of the ClientHello in the filter state.
fn fingerprint(key: &str) -> Value {
    json!({
        "name": "envoy.filters.network.set_filter_state",
        "typed_config": {
            "@type": format!("{TYPES}.filters.network.set_filter_state.v3.Config"),
            "on_new_connection": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": "%TLS_JA4_FINGERPRINT%" } },
            }],
        },
    })
}

fn certificates(identity: &Identity, alpn: Value) -> Value {
    json!({
        "alpn_protocols": alpn,
        "tls_certificates": [{
            "certificate_chain": { "filename": identity.chain },
            "private_key": { "filename": identity.key },
        }],
        "validation_context": { "trusted_ca": { "filename": identity.root } },
    })
}

fn tls(context: &str, config: &Value) -> Value {
    let mut config = config.clone();
    put(
        &mut config,
        "@type",
        json!(format!("{TYPES}.transport_sockets.tls.v3.{context}")),
    );
    json!({ "name": "envoy.transport_sockets.tls", "typed_config": config })
}

fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn or_empty(value: &Value) -> Value {
    if value.is_null() {
        json!({})
    } else {
        value.clone()
    }
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
