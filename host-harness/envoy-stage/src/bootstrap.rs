//! The Envoy configuration of a scenario's sidecar: a listener and its clusters.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use envoy_process::mesh_ca::Identity;
use host_harness::scenario::{Chain, ChainFilter, Scenario, Side, SidecarSpec, Target};
use host_harness::{ConnectMode, TransportProtocol};
use serde_json::{Value, json};

use crate::filters::{self, TYPES, put};

/// The listener's name in Envoys that play one scenario.
pub(crate) const LISTENER: &str = "scenario";

/// The default cluster's name in Envoys that play one scenario.
const CLUSTER: &str = "upstream";

/// The inputs of a sidecar's configuration.
pub(crate) struct Parts<'a> {
    /// The listener's name.
    pub(crate) name: &'a str,
    pub(crate) scenario: &'a Scenario,
    pub(crate) side: Side,
    pub(crate) spec: &'a SidecarSpec,
    pub(crate) wasm: &'a Path,
    /// The configurations of wasm filters that were updated, by position.
    pub(crate) updated: &'a BTreeMap<usize, Vec<u8>>,
    /// The address of its upstream.
    pub(crate) upstream: SocketAddr,
    /// Its certificate; `None` without TLS between the sidecars.
    pub(crate) identity: Option<&'a Identity>,
}

/// The node of a sidecar in the bootstrap.
pub(crate) fn node(spec: &SidecarSpec) -> Value {
    let node = &spec.node;
    let id = if node.id.is_empty() { "node" } else { &node.id };
    let metadata = match &node.metadata {
        Value::Null => json!({}),
        metadata => metadata.clone(),
    };
    json!({ "id": id, "cluster": "scenario", "metadata": metadata })
}

/// The `stats_tags` of a scenario.
pub(crate) fn tags(scenario: &Scenario) -> Vec<Value> {
    let tag =
        |label: &String| json!({ "tag_name": label, "regex": format!(r"({label}=\.=(.*?);\.;)") });
    scenario.labels.iter().map(tag).collect()
}

impl Parts<'_> {
    pub(crate) fn listener(&self) -> Value {
        let chains = self.spec.listener_chains();
        let mut position = 0;
        let configured: Vec<_> = chains
            .iter()
            .map(|chain| self.chain(chain, &mut position))
            .collect();
        let has_tls = self.side == Side::Inbound && self.identity.is_some();
        let mut listener_filters = Vec::new();
        if has_tls || chains.iter().any(Chain::has_condition) {
            listener_filters.push(json!({
                "name": "envoy.filters.listener.tls_inspector",
                "typed_config": {
                    "@type": format!("{TYPES}.filters.listener.tls_inspector.v3.TlsInspector"),
                    "enable_ja4_fingerprinting": self.spec.ja4_filter_state.is_some(),
                },
            }));
        }
        let mut listener = json!({
            "name": self.name,
            "traffic_direction": match self.side { Side::Outbound => "OUTBOUND", Side::Inbound => "INBOUND" },
            "address": loopback(0),
            "listener_filters": listener_filters,
            "filter_chains": configured,
        });
        self.limit_buffers(&mut listener);
        listener
    }

    /// `position`: the number of wasm filters in earlier chains.
    fn chain(&self, chain: &Chain, position: &mut usize) -> Value {
        let mut filters = Vec::new();
        filters.extend(self.spec.ja4_filter_state.as_deref().map(fingerprint));
        for filter in &chain.filters {
            if let ChainFilter::Wasm(wasm) = filter {
                let configuration = match self.updated.get(position) {
                    Some(updated) => updated.clone(),
                    None => self.scenario.configuration_of(self.side, wasm),
                };
                *position += 1;
                filters.push(filters::wasm(wasm, self.wasm, &configuration));
            } else if let Some(own) = filter.own() {
                filters.extend(filters::own(&own));
            }
        }
        let cluster = chain.cluster.as_deref();
        filters.push(self.tcp_proxy(cluster.unwrap_or_else(|| self.cluster_name())));
        let mut matching = json!({});
        let lists = [
            ("server_names", &chain.server_names),
            ("application_protocols", &chain.application_protocols),
        ];
        for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
            put(&mut matching, key, json!(list));
        }
        let is_raw = chain.transport_protocol == Some(TransportProtocol::RawBuffer);
        if chain.transport_protocol.is_some() {
            let protocol = if is_raw { "raw_buffer" } else { "tls" };
            put(&mut matching, "transport_protocol", json!(protocol));
        }
        let mut chain = json!({
            "name": chain.name,
            "filter_chain_match": matching,
            "filters": filters,
        });
        if let (Side::Inbound, Some(identity), false) = (self.side, self.identity, is_raw) {
            put(
                &mut chain,
                "transport_socket",
                self.downstream_tls(identity),
            );
        }
        chain
    }

    fn downstream_tls(&self, identity: &Identity) -> Value {
        let mtls = self.scenario.mtls.as_ref();
        let accepted = mtls.map(|mtls| mtls.accepted_alpn.clone());
        let has_client = mtls.is_some_and(|mtls| !mtls.names(Side::Outbound).is_empty());
        tls(
            "DownstreamTlsContext",
            &json!({
                "require_client_certificate": has_client,
                "common_tls_context": certificates(Some(identity), &identity.root, json!(accepted.unwrap_or_default())),
            }),
        )
    }

    fn tcp_proxy(&self, cluster: &str) -> Value {
        let mut config = json!({ "stat_prefix": LISTENER, "cluster": cluster });
        let mode = self.spec.upstream_connect_mode;
        // Older Envoys do not know the field.
        if mode != ConnectMode::Immediate {
            let bytes = self.spec.max_early_data_bytes;
            put(&mut config, "upstream_connect_mode", json!(mode.name()));
            put(&mut config, "max_early_data_bytes", json!(bytes));
        }
        if let Some(timeout) = self.spec.idle_timeout {
            put(&mut config, "idle_timeout", seconds(timeout));
        }
        filters::filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", config)
    }

    fn cluster_name(&self) -> &str {
        self.spec.cluster.name.as_deref().unwrap_or(CLUSTER)
    }

    pub(crate) fn clusters(&self) -> Vec<Value> {
        let own = self.cluster(self.cluster_name(), &self.spec.cluster);
        let others = self.spec.clusters.iter().map(|target| {
            let name = target.name.as_deref().unwrap_or(CLUSTER);
            self.cluster(name, target)
        });
        std::iter::once(own).chain(others).collect()
    }

    fn cluster(&self, name: &str, target: &Target) -> Value {
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
        if !target.metadata.is_null() {
            put(
                &mut cluster,
                "metadata",
                json!({ "filter_metadata": target.metadata }),
            );
        }
        if let Some(limit) = target.max_connections {
            let thresholds = json!({ "thresholds": [{ "max_connections": limit }] });
            put(&mut cluster, "circuit_breakers", thresholds);
        }
        self.limit_buffers(&mut cluster);
        if let (Side::Outbound, Some(identity)) = (self.side, self.identity) {
            put(
                &mut cluster,
                "transport_socket",
                self.upstream_tls(identity),
            );
        }
        cluster
    }

    fn upstream_tls(&self, identity: &Identity) -> Value {
        let mtls = self.scenario.mtls.as_ref();
        let offered = mtls
            .map(|mtls| mtls.offered_alpn.clone())
            .unwrap_or_default();
        let has_own = mtls.is_some_and(|mtls| !mtls.names(Side::Outbound).is_empty());
        let own = has_own.then_some(identity);
        let mut context = json!({
            "common_tls_context": certificates(own, &identity.root, json!(offered)),
        });
        if let Some(name) = mtls
            .map(|mtls| &mtls.server_name)
            .filter(|name| !name.is_empty())
        {
            put(&mut context, "sni", json!(name));
        }
        tls("UpstreamTlsContext", &context)
    }

    fn limit_buffers(&self, config: &mut Value) {
        if let Some(bytes) = self.spec.buffer_limit {
            put(config, "per_connection_buffer_limit_bytes", json!(bytes));
        }
    }
}

/// Stores the JA4 fingerprint of the ClientHello in the filter state.
fn fingerprint(key: &str) -> Value {
    filters::filter(
        "set_filter_state",
        "set_filter_state.v3.Config",
        json!({
            "on_new_connection": [{
                "object_key": key,
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": "%TLS_JA4_FINGERPRINT%" } },
            }],
        }),
    )
}

fn certificates(identity: Option<&Identity>, root: &Path, alpn: Value) -> Value {
    let certificates = identity.map(|identity| {
        json!({
            "certificate_chain": { "filename": identity.chain },
            "private_key": { "filename": identity.key },
        })
    });
    json!({
        "alpn_protocols": alpn,
        "tls_certificates": certificates.into_iter().collect::<Vec<_>>(),
        "validation_context": { "trusted_ca": { "filename": root } },
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

pub(crate) fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}

fn seconds(time: Duration) -> Value {
    json!(format!("{}s", time.as_secs_f64()))
}
