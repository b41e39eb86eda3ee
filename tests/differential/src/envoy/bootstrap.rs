//! A bootstrap with a listener for each scenario.

use std::net::SocketAddr;
use std::path::Path;

use envoy_stage::Barrier;
use host_harness::ConnectMode;
use serde_json::{Value, json};

use crate::scenario::{self, Scenario};

pub(super) fn document(probe: &Path, scenarios: &[Scenario], server: SocketAddr) -> Value {
    let mut listeners = vec![Barrier::listener()];
    for (index, scenario) in scenarios.iter().enumerate() {
        let id = scenario::id(index);
        let filters = [
            wasm(&id, probe, &scenario.configuration(index)),
            tcp_proxy(scenario.connect_mode),
        ];
        listeners.push(listener(&id, &filters));
    }
    json!({
        "node": { "id": "probe", "cluster": "probe" },
        // A request for the metrics merges histograms.
        "stats_flush_on_admin": true,
        "admin": { "address": loopback(0) },
        "static_resources": {
            "listeners": listeners,
            "clusters": [{
                "name": "server",
                "type": "STATIC",
                "connect_timeout": "5s",
                "load_assignment": {
                    "cluster_name": "server",
                    "endpoints": [{ "lb_endpoints": [{ "endpoint": { "address": loopback(server.port()) } }] }],
                },
            }],
        },
    })
}

fn listener(name: &str, filters: &[Value]) -> Value {
    json!({
        "name": name,
        "address": loopback(0),
        "traffic_direction": "OUTBOUND",
        "filter_chains": [{ "filters": filters }],
    })
}

/// Each filter has its own VM: a scenario must not affect the VM of another.
fn wasm(id: &str, probe: &Path, script: &str) -> Value {
    json!({
        "name": "probe",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": {
                "name": id,
                "vm_config": {
                    "vm_id": id,
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": probe } },
                },
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": script },
            },
        },
    })
}

fn tcp_proxy(mode: ConnectMode) -> Value {
    let mut config = json!({
        "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "server",
        "cluster": "server",
    });
    // Older Envoys do not know the field.
    let lazy = mode != ConnectMode::Immediate;
    if let Some(config) = config.as_object_mut().filter(|_| lazy) {
        config.insert("upstream_connect_mode".into(), json!(mode.name()));
        config.insert("max_early_data_bytes".into(), json!(scenario::EARLY_DATA));
    }
    json!({ "name": "tcp_proxy", "typed_config": config })
}

fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
