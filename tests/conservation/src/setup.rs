//! The rig of a case.
#![allow(
    clippy::indexing_slicing,
    reason = "to index a JSON object is to insert"
)]

use host_harness::{
    Cluster, Module, Node, Profile, Rig, Sidecar, SidecarBuilder, StartError, Tls, UpstreamHost,
};
use serde_json::{Value, json};

use crate::case::{Case, Extra, Host, Mode, Proxy, Security, Server};

const CLIENT: &str = "spiffe://cluster.local/ns/default/sa/client";
const SERVER: &str = "spiffe://cluster.local/ns/default/sa/server";
const CLUSTER: &str = "outbound|8080||server.default.svc.cluster.local";
const OTHER_CLUSTER: &str = "outbound|8080||other.default.svc.cluster.local";
const ADDRESS: &str = "127.0.0.1:8080";
const OTHER_ADDRESS: &str = "127.0.0.2:8080";
const LISTENER_PORTS: [u16; 2] = [15_001, 8080];
const EXCHANGE_OFFERED: &str = "t13d0912ie_f91f431d341e_78e6aca7449b";
const ISTIO_OFFERED: &str = "t13d0912io_f91f431d341e_78e6aca7449b";

/// Starts the client's proxy, and the first one of the first server.
pub(crate) fn start(case: &Case, module: &Module) -> Result<Rig, StartError> {
    let outbound = sidecar(case, &case.outbound, Sidecar::outbound(module), "client");
    let outbound = outbound.workers(case.workers);
    let outbound = match case.security {
        Security::Plain => outbound,
        Security::Mesh => outbound.upstream_tls(Tls::mutual(CLIENT, SERVER)),
        Security::Foreign => outbound.upstream_tls(Tls::mutual("https://client", "https://server")),
        Security::ServerOnly => outbound.upstream_tls(Tls::anonymous().peer_sans([SERVER])),
    };
    Rig::builder(outbound, inbound(case, &case.inbound, module)).start()
}

/// A server's proxy.
pub(crate) fn inbound(case: &Case, proxy: &Proxy, module: &Module) -> SidecarBuilder {
    let mut inbound = sidecar(case, proxy, Sidecar::inbound(module), "server");
    if proxy.knows_offer {
        // Without TLS between the proxies it is the one of the application's own TLS.
        let fingerprint = match case.outbound.offers() {
            true => EXCHANGE_OFFERED,
            false => ISTIO_OFFERED,
        };
        inbound = inbound.filter_state("tcp_peer_stats.client_ja4", fingerprint);
    }
    match case.security {
        Security::Plain => inbound,
        Security::Mesh => inbound.downstream_tls(Tls::mutual(SERVER, CLIENT)),
        Security::Foreign => {
            inbound.downstream_tls(Tls::mutual("https://server", "https://client"))
        }
        Security::ServerOnly => inbound.downstream_tls(Tls::anonymous().local_sans([SERVER])),
    }
}

/// The cluster and the host of a server in the client's proxy.
pub(crate) fn upstream(server: Server) -> (Cluster, UpstreamHost) {
    let (cluster, address) = match server {
        Server::First => (CLUSTER, ADDRESS),
        Server::OtherAddress => (CLUSTER, OTHER_ADDRESS),
        Server::OtherCluster => (OTHER_CLUSTER, ADDRESS),
    };
    (
        Cluster::new(cluster).alpn(["istio"]),
        UpstreamHost::new(address),
    )
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
        Profile::default()
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
    if let Some(seconds) = proxy.proof_seconds {
        exchange["proof_duration"] = format!("{seconds}s").into();
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
