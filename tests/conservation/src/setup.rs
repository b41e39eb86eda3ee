//! The rig of a case.
#![allow(
    clippy::indexing_slicing,
    reason = "to index a JSON object is to insert"
)]

use host_harness::{
    Cluster, Module, Node, Profile, Rig, Sidecar, SidecarBuilder, StartError, Tls, UpstreamHost,
};
use serde_json::{Value, json};

use crate::case::{Case, Extra, Host, Mode, Proxy, Security};

const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/client";
const SERVER: &str = "spiffe://cluster.local/ns/default/sa/server";
const CLUSTER: &str = "outbound|8080||server.default.svc.cluster.local";
const LISTENER_PORTS: [u16; 2] = [15_001, 8080];

/// Starts both proxies.
pub(crate) fn start(case: &Case, module: &Module) -> Result<Rig, StartError> {
    let host = UpstreamHost::new("127.0.0.1:8080");
    let host = match case.host {
        Host::TlsMode => {
            host.metadata(json!({"envoy.transport_socket_match": {"tlsMode": "istio"}}))
        }
        Host::Silent | Host::Listed => host,
    };
    let outbound = sidecar(case, &case.outbound, Sidecar::outbound(module), "client")
        .cluster(Cluster::new(CLUSTER).alpn(["istio"]))
        .upstream_host(host);
    let inbound = sidecar(case, &case.inbound, Sidecar::inbound(module), "server");
    match case.security {
        Security::Plain => Rig::builder(outbound, inbound),
        Security::Mesh => Rig::builder(outbound, inbound).mtls(CLIENT, SERVER),
        Security::Foreign => {
            Rig::builder(outbound, inbound).mtls("https://client", "https://server")
        }
        Security::ServerOnly => Rig::builder(
            outbound.upstream_tls(Tls::anonymous().peer_san(Some(SERVER.into()))),
            inbound.downstream_tls(Tls::anonymous().local_san(Some(SERVER.into()))),
        ),
    }
    .start()
}

fn sidecar(case: &Case, proxy: &Proxy, with_filter: SidecarBuilder, name: &str) -> SidecarBuilder {
    let mut metadata = json!({"NAMESPACE": "default", "WORKLOAD_NAME": name});
    if proxy.exchange_keys {
        metadata["EXCHANGE_KEYS"] = "WORKLOAD_NAME,NAMESPACE".into();
    }
    let mut node = Node::new(name).metadata(metadata);
    if proxy.native_exchange {
        let native = "envoy.filters.network.metadata_exchange";
        node = node.extension("envoy.filters.network", native);
    }
    let sidecar = if proxy.filter {
        with_filter.plugin_config(configuration(case, proxy).to_string())
    } else {
        Sidecar::passthrough()
    };
    let profile = if proxy.legacy {
        Profile::Legacy
    } else {
        Profile::Xds
    };
    sidecar.node(node).profile(profile)
}

fn configuration(case: &Case, proxy: &Proxy) -> Value {
    let mode = match proxy.mode {
        Mode::Auto => "auto",
        Mode::On => "on",
        Mode::Receive => "receive",
        Mode::Off => "off",
    };
    let mut exchange = json!({"mode": mode, "advertise_alpn": proxy.advertise_alpn});
    if case.host == Host::Listed {
        exchange["clusters"] = json!([CLUSTER]);
    }
    if let Some(seconds) = proxy.refused_seconds {
        exchange["refused_duration"] = format!("{seconds}s").into();
    }
    let mut limits = json!({});
    if let Some(bytes) = proxy.max_frame_bytes {
        limits["max_frame_bytes"] = bytes.into();
    }
    if proxy.extra == Extra::Tight {
        limits["max_series"] = 1.into();
        limits["max_label_length"] = 16.into();
    }
    let mut configuration = json!({
        "tcp_reporting_duration": "1s", "peer_exchange": exchange, "limits": limits,
    });
    if proxy.port_excluded {
        configuration["ports"] = json!({"exclude": LISTENER_PORTS});
    }
    let extra = match proxy.extra {
        Extra::None | Extra::Tight => json!({}),
        Extra::Everything => json!({
            "extended_metrics": true, "debug": true, "additional_labels": ["team"],
            "definitions": [{"name": "seen", "type": "COUNTER", "value": "1"}],
        }),
        Extra::Names => {
            json!({"stat_prefix": "mesh", "field_separator": "|;|", "value_separator": "=:="})
        }
        Extra::Labels => json!({"metrics": [
            {"dimensions": {"id": "string(connection.id)"}, "tags_to_remove": ["source_app"]},
            {"name": "tcp_sent_bytes_total", "tags_to_remove": ["destination_workload"]},
        ]}),
        Extra::Dropped => json!({"metrics": [{"name": "tcp_sent_bytes_total", "drop": true}]}),
        Extra::OnlyAtClose => json!({"tcp_reporting_duration": "0"}),
    };
    if let (Some(all), Value::Object(extra)) = (configuration.as_object_mut(), extra) {
        all.extend(extra);
    }
    configuration
}
