//! The native filters, which only Istio's proxy has.

use serde_json::Value;

use super::{Sidecar, array, chain_match, elements, list, text};

/// Istio's exchange filter.
pub const EXCHANGE: &str = "istio.metadata_exchange";
const ALPN: &str = "istio-peer-exchange";
const STATS: &str = "istio.stats";

/// A native filter of Istio.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Native {
    /// Its name.
    pub name: String,
    /// Its listener or cluster.
    pub place: String,
    /// The match of its chain, as in [`Sidecar::chains`]; empty for a cluster.
    pub chain: String,
    /// The ALPN of an exchange filter, which ignores connections with another one.
    pub protocol: String,
}

impl Native {
    fn new(filter: &Value, place: &Value, chain: &Value) -> Self {
        Self {
            name: text(filter, "/name").to_owned(),
            place: text(place, "/name").to_owned(),
            chain: chain_match(chain),
            protocol: text(filter, "/typed_config/value/protocol").to_owned(),
        }
    }
}

pub(super) fn find(sidecar: &Sidecar) -> Vec<Native> {
    let mut natives = Vec::new();
    for listener in list(&sidecar.document, "/static_resources/listeners") {
        for chain in list(listener, "/filter_chains") {
            let filters = list(chain, "/filters")
                .iter()
                .filter(|filter| is_native(filter));
            natives.extend(filters.map(|filter| Native::new(filter, listener, chain)));
        }
    }
    for cluster in list(&sidecar.document, "/static_resources/clusters") {
        let filters = list(cluster, "/filters")
            .iter()
            .filter(|filter| is_native(filter));
        natives.extend(filters.map(|filter| Native::new(filter, cluster, &Value::Null)));
    }
    natives
}

pub(super) fn stand_in(sidecar: &mut Sidecar, inbound: &Value, outbound: &Value) {
    let natives = find(sidecar);
    let exchanging = |cluster: &str| {
        natives
            .iter()
            .any(|native| native.name == EXCHANGE && native.place == cluster)
    };
    for listener in sidecar.listeners() {
        for filters in
            elements(listener, "filter_chains").filter_map(|chain| array(chain, "filters"))
        {
            for filter in filters
                .iter_mut()
                .filter(|filter| text(filter, "/name") == EXCHANGE)
            {
                filter.clone_from(inbound);
            }
            if filters
                .iter()
                .any(|filter| exchanging(text(filter, "/typed_config/cluster")))
            {
                filters.insert(0, outbound.clone());
            }
        }
    }
}

pub(super) fn remove(sidecar: &mut Sidecar) {
    for listener in sidecar.listeners() {
        for chain in elements(listener, "filter_chains") {
            strip(chain);
        }
    }
    for cluster in sidecar.clusters() {
        strip(cluster);
    }
}

/// Removes the exchange's ALPN from every list of a TLS context.
pub(super) fn remove_alpn(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("alpn_protocols", Value::Array(protocols)) => {
                        protocols.retain(|protocol| protocol != ALPN);
                    }
                    (_, value) => remove_alpn(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(remove_alpn),
        _ => {}
    }
}

fn strip(holder: &mut Value) {
    if let Some(filters) = array(holder, "filters") {
        filters.retain(|filter| !is_native(filter));
    }
}

fn is_native(filter: &Value) -> bool {
    [EXCHANGE, STATS].contains(&text(filter, "/name"))
}
