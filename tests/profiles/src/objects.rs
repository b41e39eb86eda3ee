//! The keys of filter state that a filter can set with `set_envoy_filter_state`.

use mesh::{Envoy, Error as Testbed};
use serde_json::Value;

use crate::answers::{Callback, status};
use crate::error::{Error, Result};

/// All keys that a surveyed Envoy has, and one that none has.
const OBJECTS: &[&str] = &[
    "envoy.ai.llm_protocol.request",
    "envoy.ai.model.request",
    "envoy.bool",
    "envoy.filters.listener.original_dst.local_ip",
    "envoy.filters.listener.original_dst.remote_ip",
    "envoy.hashable_string",
    "envoy.network.application_protocols",
    "envoy.network.ip",
    "envoy.network.network_namespace",
    "envoy.network.transport_socket.http_11_proxy.info",
    "envoy.network.transport_socket.original_dst_address",
    "envoy.network.upstream_server_name",
    "envoy.network.upstream_subject_alt_names",
    "envoy.ratelimit.hits_addend",
    "envoy.router.debug_config",
    "envoy.string",
    "envoy.tcp_proxy.cluster",
    "envoy.tcp_proxy.disable_tunneling",
    "envoy.tcp_proxy.per_connection_idle_timeout_ms",
    "envoy.upstream.dynamic_host",
    "envoy.upstream.dynamic_port",
    "no.such.object",
];

/// The beginning of the line after all answers.
pub(crate) const LAST: &str = "2   property no";

/// Values of all kinds of objects.
const VALUES: [&str; 6] = [
    "v",
    "7",
    "true",
    "10.0.0.1",
    "10.0.0.1:80",
    "example.com:443,10.0.0.1:80",
];

/// Sets each key to each value.
pub(crate) fn script() -> String {
    let actions = OBJECTS
        .iter()
        .flat_map(|key| VALUES.map(|value| action(key, value)));
    let actions: Vec<_> = actions.collect();
    format!("new_connection: {}; property no", actions.join("; "))
}

/// The probe's action: `{path: key, value: value, span: DownstreamConnection}`.
fn action(key: &str, value: &str) -> String {
    let mut hex = String::new();
    for (tag, text) in [("0a", key), ("12", value)] {
        hex.push_str(&format!("{tag}{:02x}", text.len()));
        hex.extend(text.bytes().map(|byte| format!("{byte:02x}")));
    }
    format!("foreign set_envoy_filter_state hex:{hex}1802")
}

/// The keys that exist, with the values that each accepts.
pub(crate) fn read(callbacks: &[Callback]) -> Vec<(&'static str, Vec<&'static str>)> {
    let answers = callbacks.iter().flat_map(|callback| &callback.answers);
    let answers: Vec<_> = answers.collect();
    let status = |key: &str, value: &str| {
        let action = action(key, value);
        let found = answers.iter().find(|(asked, _)| *asked == action);
        found.map_or_else(|| "not asked".into(), |(_, answer)| status(answer))
    };
    let mut objects = Vec::new();
    for key in OBJECTS {
        let mut accepted = Vec::from(VALUES);
        accepted.retain(|value| status(key, value) == "Ok");
        if VALUES.iter().any(|value| status(key, value) != "NotFound") {
            objects.push((*key, accepted));
        }
    }
    objects
}

/// Compares the keys with the list of extensions that this Envoy has.
pub(crate) fn check_all_are_asked(envoy: &Envoy) -> Result<()> {
    let text = envoy.get("/server_info")?;
    let info: Value = serde_json::from_str(&text)
        .map_err(|error| Testbed::malformed("Envoy's /server_info", error))?;
    let extensions = info.pointer("/node/extensions").and_then(Value::as_array);
    let objects = extensions.into_iter().flatten().filter(|extension| {
        extension.get("category").and_then(Value::as_str) == Some("filter_state.object")
    });
    let names = objects.filter_map(|object| object.get("name")?.as_str());
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return Err(
            Testbed::malformed("Envoy's /server_info", "it lists no filter state objects").into(),
        );
    }
    let unknown = names.into_iter().filter(|name| !OBJECTS.contains(name));
    let unknown: Vec<_> = unknown.map(str::to_owned).collect();
    match unknown.is_empty() {
        true => Ok(()),
        false => Err(Error::UnknownObjects(unknown)),
    }
}
