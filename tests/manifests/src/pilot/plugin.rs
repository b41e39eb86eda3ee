//! WasmPlugins and TrafficExtensions of type NETWORK, as istiod and the agent in the pod configure
//! them in Envoy: a filter in every matching chain, HTTP chains included, whose module is a file.

use serde_json::{Value, json};

use super::{Sidecar, WASM_TYPE, array, elements, list, text};
use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// The filters in front of which plugins of the phase STATS are inserted: the first of these that a
/// chain has.
const BEFORE: [&str; 3] = [
    "istio.stats",
    "envoy.filters.network.tcp_proxy",
    "envoy.filters.network.http_connection_manager",
];

/// Inserts the filter into all chains that the plugin matches. Returns their number.
pub(super) fn apply(sidecar: &mut Sidecar, manifest: &Manifest) -> Result<usize> {
    let spec = manifest.document.get("spec").cloned().unwrap_or_default();
    if !sidecar.is_selected(spec.pointer("/selector/matchLabels")) {
        return Ok(0);
    }
    let wasm = spec.get("wasm").unwrap_or(&spec);
    if text(wasm, "/type") != "NETWORK" || text(&spec, "/phase") != "STATS" {
        return Err(Error::render(
            manifest.to_string(),
            "only plugins of type NETWORK and phase STATS are supported",
        ));
    }
    let filter = filter(manifest, wasm)?;
    let mut hits = 0;
    for listener in sidecar.listeners() {
        let mode = match text(listener, "/traffic_direction") {
            "INBOUND" => "SERVER",
            _ => "CLIENT",
        };
        let port = listener
            .pointer("/address/socket_address/port_value")
            .cloned();
        for chain in elements(listener, "filter_chains") {
            let port = match mode {
                "SERVER" => chain
                    .pointer("/filter_chain_match/destination_port")
                    .cloned(),
                _ => port.clone(),
            };
            if !is_matched(&spec, mode, port.as_ref()) {
                continue;
            }
            let Some(filters) = array(chain, "filters") else {
                continue;
            };
            let named = |name: &&str| {
                filters
                    .iter()
                    .position(|filter| text(filter, "/name") == *name)
            };
            let place = BEFORE.iter().find_map(named).unwrap_or(filters.len());
            filters.insert(place, filter.clone());
            hits += 1;
        }
    }
    Ok(hits)
}

/// Whether one of the traffic selectors matches a chain. Without selectors, all chains match.
fn is_matched(spec: &Value, mode: &str, port: Option<&Value>) -> bool {
    let selectors = list(spec, "/match");
    let takes = |selector: &Value| {
        let ports = list(selector, "/ports");
        let wanted = text(selector, "/mode");
        [mode, "CLIENT_AND_SERVER", ""].contains(&wanted)
            && (ports.is_empty() || ports.iter().any(|wanted| wanted.get("number") == port))
    };
    selectors.is_empty() || selectors.iter().any(takes)
}

fn filter(manifest: &Manifest, wasm: &Value) -> Result<Value> {
    let policy = match text(wasm, "/failStrategy") {
        "" | "FAIL_CLOSE" => "FAIL_CLOSED",
        "FAIL_OPEN" => "FAIL_OPEN",
        "FAIL_RELOAD" => "FAIL_RELOAD",
        other => {
            return Err(Error::render(
                manifest.to_string(),
                format!("the strategy `{other}` is not supported"),
            ));
        }
    };
    let name = format!("default.{}", manifest.name());
    let mut config = json!({
        "name": name,
        "root_id": text(wasm, "/pluginName"),
        "failure_policy": policy,
        "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": {} },
    });
    // Without `pluginConfig`, Envoy gets no configuration instead of an empty object.
    if let (Some(plugin_config), Some(fields)) = (wasm.get("pluginConfig"), config.as_object_mut())
    {
        let configuration = json!({
            "@type": "type.googleapis.com/google.protobuf.StringValue",
            "value": plugin_config.to_string(),
        });
        fields.insert("configuration".into(), configuration);
    }
    Ok(json!({ "name": name, "typed_config": { "@type": WASM_TYPE, "config": config } }))
}
