//! The filter in the listeners of a proxy, as istiod configured it.

use serde_json::Value;

use super::dump::{dump, items, text};
use crate::error::Result;
use crate::kubelet::Pod;

/// The name of the filter in the overlays.
const FILTER: &str = "tcp_peer_stats";
/// The places of its configuration: its own, and that of the native filter of
/// [`crate::overlay::set_native`].
const CONFIGURATION: [&str; 2] = [
    "/typed_config/config/configuration/value",
    "/typed_config/on_new_connection/0/format_string/text_format_source/inline_string",
];
const LISTENERS: &str = "resource=dynamic_listeners";

/// A filter chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    /// The transport protocol that it matches, such as `tls`.
    pub(super) transport: Option<String>,
    /// The configuration of the filter, if it has one.
    pub(super) filter: Option<String>,
    /// The file of its module.
    pub(super) module: Option<String>,
    /// The names of the filters whose configuration istiod sends separately: plugins.
    pub(super) plugins: Vec<String>,
}

impl Chain {
    /// Whether it has the filter in this mode.
    pub(super) fn has_mode(&self, mode: &str) -> bool {
        let configuration = self.filter.as_deref();
        let parsed = configuration.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let own = parsed
            .as_ref()
            .and_then(|parsed| parsed.pointer("/peer_exchange/mode"));
        own.and_then(Value::as_str) == Some(mode)
    }
}

/// The chains of `virtualInbound` for a port of the pod.
pub(super) fn inbound(pod: &Pod, port: u16) -> Result<Vec<Chain>> {
    let is_inbound = |name: &str| name == "virtualInbound";
    let matches = |chain: &Value| {
        let own = chain.pointer("/filter_chain_match/destination_port");
        own.and_then(Value::as_u64) == Some(port.into())
    };
    let listeners = dump(pod, LISTENERS)?;
    Ok(chains(&listeners, is_inbound, matches))
}

/// The chains of a listener.
pub(super) fn named(pod: &Pod, listener: &str) -> Result<Vec<Chain>> {
    let listeners = dump(pod, LISTENERS)?;
    Ok(chains(&listeners, |name| name == listener, |_| true))
}

/// The chains of the outbound listeners of a port.
pub(super) fn outbound(pod: &Pod, port: u16) -> Result<Vec<Chain>> {
    let suffix = format!("_{port}");
    let listeners = dump(pod, LISTENERS)?;
    Ok(chains(&listeners, |name| name.ends_with(&suffix), |_| true))
}

fn chains(
    dump: &Value,
    is_wanted: impl Fn(&str) -> bool,
    matches: impl Fn(&Value) -> bool,
) -> Vec<Chain> {
    let listeners = items(dump, "/configs").filter_map(|it| it.pointer("/active_state/listener"));
    let listeners = listeners.filter(|it| text(it, "/name").is_some_and(|name| is_wanted(&name)));
    let chains = listeners.flat_map(|listener| {
        items(listener, "/filter_chains").chain(listener.get("default_filter_chain"))
    });
    chains
        .filter(|chain| matches(chain))
        .map(|chain| Chain {
            transport: text(chain, "/filter_chain_match/transport_protocol"),
            filter: CONFIGURATION
                .into_iter()
                .find_map(|place| of_filter(chain, place)),
            module: of_filter(chain, "/typed_config/config/vm_config/code/local/filename"),
            plugins: items(chain, "/filters")
                .filter(|filter| filter.get("config_discovery").is_some())
                .filter_map(|filter| text(filter, "/name"))
                .collect(),
        })
        .collect()
}

/// The text at a place of the filter.
fn of_filter(chain: &Value, place: &str) -> Option<String> {
    items(chain, "/filters")
        .find(|filter| text(filter, "/name").as_deref() == Some(FILTER))
        .and_then(|filter| text(filter, place))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_mode_of_the_filter_is_found_in_the_chains_of_a_port() {
        let configuration = r#"{ "peer_exchange": { "mode": "auto" } }"#;
        let filter = json!({ "name": "tcp_peer_stats", "typed_config": { "config": { "configuration": { "value": configuration } } } });
        let plugin = json!({ "name": "shop.plugin", "config_discovery": {} });
        let chain = |port: u16, filters: Value| {
            let matched = json!({ "destination_port": port, "transport_protocol": "tls" });
            json!({ "filter_chain_match": matched, "filters": filters })
        };
        let listener = json!({ "name": "virtualInbound", "filter_chains": [
            chain(13306, json!([filter])),
            chain(13306, json!([plugin])),
            chain(9080, json!([])),
        ] });
        let dump = json!({ "configs": [{ "active_state": { "listener": listener } }] });
        let of_port = |chain: &Value| {
            chain.pointer("/filter_chain_match/destination_port") == Some(&json!(13306))
        };
        let found = chains(&dump, |name| name == "virtualInbound", of_port);
        let [with, without] = found.as_slice() else {
            panic!("{found:?}");
        };
        assert!(with.has_mode("auto") && !with.has_mode("receive"));
        assert_eq!(with.transport.as_deref(), Some("tls"));
        assert!(with.plugins.is_empty());
        assert_eq!(without.filter, None);
        assert_eq!(without.plugins, ["shop.plugin"]);
    }
}
