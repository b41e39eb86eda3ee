//! A bootstrap with a listener for each scenario.

use std::net::SocketAddr;
use std::path::Path;

use envoy_stage::Barrier;
use host_harness::ConnectMode;
use host_harness::scenario::WasmFilter;
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
    let mut filter = WasmFilter::default();
    filter.name = id.to_owned();
    filter.vm_id = id.to_owned();
    envoy_stage::wasm_filter(&filter, probe, script.as_bytes())
}

fn tcp_proxy(mode: ConnectMode) -> Value {
    let mut config = json!({ "stat_prefix": "server", "cluster": "server" });
    // Older Envoys do not know the field.
    let lazy = mode != ConnectMode::Immediate;
    if let Some(config) = config.as_object_mut().filter(|_| lazy) {
        config.insert("upstream_connect_mode".into(), json!(mode.name()));
        config.insert("max_early_data_bytes".into(), json!(scenario::EARLY_DATA));
    }
    envoy_stage::network_filter("tcp_proxy", "tcp_proxy.v3.TcpProxy", config)
}

fn loopback(port: u16) -> Value {
    json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } })
}
