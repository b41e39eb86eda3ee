//! The part of a proxy's configuration that the overlays touch, without what differs from run to
//! run.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use serde_json::{Map, Value, json};

/// The port of the database.
const PORT: u16 = 27017;
/// The values in the files, for [`Names`].
const SERVICE: &str = "10.96.0.27";
const SERVER: &str = "10.244.0.27";
/// The member with the configuration of plugins.
const PLUGINS: &str = "extensions";
const NAMESPACE: &str = "shop";

/// What differs from run to run, and between the pods with one label and those with the other.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) service: Ipv4Addr,
    pub(super) server: Option<Ipv4Addr>,
    pub(super) namespace: String,
}

/// Whether the dump has a cluster.
pub(super) fn has_cluster(dump: &Value, name: &str) -> bool {
    resources(dump, "dynamicActiveClusters", "/cluster").any(|it| text(it, "name") == name)
}

/// The listeners of a client for the database and for destinations without a listener, and the
/// database's cluster.
pub(super) fn client(dump: &Value, names: &Names) -> Value {
    let port = format!("{}_{PORT}", names.service);
    let cluster = format!(
        "outbound|{PORT}||mongodb.{}.svc.cluster.local",
        names.namespace
    );
    let is_listener = |name: &str| name == port || name == "virtualOutbound";
    let is_cluster = |name: &str| name == cluster || name == "PassthroughCluster";
    let endpoints = items(dump, "endpoints")
        .filter(|it| text(it, "clusterName") == cluster)
        .cloned();
    let mut document = document(dump, is_listener, is_cluster);
    if let Some(members) = document.as_object_mut() {
        members.insert("endpoints".into(), endpoints.collect());
    }
    normal(document, names)
}

/// The inbound listener of the server, and the database's cluster. Chains for other ports have the
/// names of their filters only.
pub(super) fn server(dump: &Value, names: &Names) -> Value {
    let cluster = format!("inbound|{PORT}||");
    let mut document = document(
        dump,
        |name| name == "virtualInbound",
        |name| name == cluster,
    );
    let chains = document.pointer_mut("/listeners/0/filterChains");
    for chain in chains.and_then(Value::as_array_mut).into_iter().flatten() {
        let port = chain.pointer("/filterChainMatch/destinationPort");
        if port != Some(&json!(PORT)) {
            shorten(chain);
        }
    }
    normal(document, names)
}

/// Whether the document has the configuration of exactly those plugins that its chains name.
pub(super) fn has_all_plugins(document: &Value) -> bool {
    let chains = items(document, "listeners").flat_map(|it| items(it, "filterChains"));
    let filters = chains.flat_map(|chain| items(chain, "filters"));
    let named: BTreeSet<_> = filters
        .filter(|filter| filter.get("configDiscovery").is_some())
        .map(|filter| text(filter, "name"))
        .collect();
    let sent: BTreeSet<_> = items(document, PLUGINS)
        .map(|it| text(it, "name"))
        .collect();
    named == sent
}

/// Removes the configuration of plugins.
pub(super) fn remove_plugins(document: &mut Value) {
    document
        .as_object_mut()
        .map(|members| members.remove(PLUGINS));
}

/// Keeps the match of a chain and the names of its filters.
fn shorten(chain: &mut Value) {
    let filters = items(chain, "filters").map(|filter| json!({ "name": filter.get("name") }));
    let mut short = Map::new();
    short.insert("filters".into(), filters.collect());
    for name in ["name", "filterChainMatch"] {
        if let Some(value) = chain.get(name) {
            short.insert(name.into(), value.clone());
        }
    }
    *chain = Value::Object(short);
}

fn document(
    dump: &Value,
    is_listener: impl Fn(&str) -> bool,
    is_cluster: impl Fn(&str) -> bool,
) -> Value {
    let mut listeners: Vec<_> = resources(dump, "dynamicListeners", "/activeState/listener")
        .filter(|it| is_listener(text(it, "name")))
        .cloned()
        .collect();
    let mut clusters: Vec<_> = resources(dump, "dynamicActiveClusters", "/cluster")
        .filter(|it| is_cluster(text(it, "name")))
        .cloned()
        .collect();
    for list in [&mut listeners, &mut clusters] {
        list.sort_by(|a, b| text(a, "name").cmp(text(b, "name")));
    }
    let extensions = resources(dump, "ecdsFilters", "/ecdsFilter").cloned();
    json!({
        "listeners": listeners,
        "clusters": clusters,
        PLUGINS: extensions.collect::<Vec<_>>(),
    })
}

/// Replaces what differs from run to run.
fn normal(document: Value, names: &Names) -> Value {
    match document {
        Value::String(text) => {
            let text = text.replace(&names.service.to_string(), SERVICE);
            let text = match names.server {
                Some(server) => text.replace(&server.to_string(), SERVER),
                None => text,
            };
            Value::String(text.replace(&names.namespace, NAMESPACE))
        }
        Value::Array(items) => items.into_iter().map(|item| normal(item, names)).collect(),
        Value::Object(members) => {
            let members = members.into_iter().filter_map(|(name, value)| {
                let value = match name.as_str() {
                    // The version of an object in the API server.
                    "ISTIO_META_WASM_PLUGIN_RESOURCE_VERSION" => json!("1"),
                    // Where a proxy gets certificates and endpoints, and the ciphers: always the same.
                    "sdsConfig" | "edsConfig" | "tlsParams" => return None,
                    _ => normal(value, names),
                };
                Some((name, value))
            });
            Value::Object(members.collect())
        }
        other => other,
    }
}

/// The resources of a kind in a dump: the values at `place` in the members of `list`.
fn resources<'a>(
    dump: &'a Value,
    list: &'a str,
    place: &'a str,
) -> impl Iterator<Item = &'a Value> {
    let all = items(dump, "configs").flat_map(move |config| items(config, list));
    all.filter_map(move |it| it.pointer(place))
}

fn items<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    let list = value.get(name).and_then(Value::as_array);
    list.into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dump(extensions: Value) -> Value {
        let chain = json!({
            "filterChainMatch": { "destinationPort": PORT },
            "filters": [{ "name": "plugin", "configDiscovery": {} }],
        });
        let other = json!({
            "filterChainMatch": { "destinationPort": 9080 },
            "filters": [{ "name": "http", "typedConfig": {} }],
            "transportSocket": {},
        });
        let listener = json!({ "name": "virtualInbound", "filterChains": [chain, other] });
        let cluster = json!({ "name": "inbound|27017||", "host": "mongodb.own-namespace" });
        json!({ "configs": [
            { "dynamicListeners": [{ "activeState": { "versionInfo": "1", "listener": listener } }] },
            { "dynamicActiveClusters": [{ "cluster": cluster }, { "cluster": { "name": "other" } }] },
            { "ecdsFilters": extensions },
        ] })
    }

    fn names() -> Names {
        Names {
            service: Ipv4Addr::new(10, 96, 1, 2),
            server: None,
            namespace: "own-namespace".into(),
        }
    }

    #[test]
    fn other_ports_have_the_names_of_their_filters_only() {
        let document = server(&dump(json!([])), &names());
        let chains = document.pointer("/listeners/0/filterChains").unwrap();
        assert!(Value::pointer(chains, "/0/filters/0/configDiscovery").is_some());
        let short = json!({
            "filterChainMatch": { "destinationPort": 9080 },
            "filters": [{ "name": "http" }],
        });
        assert_eq!(Value::pointer(chains, "/1"), Some(&short));
        let clusters = json!([{ "name": "inbound|27017||", "host": "mongodb.shop" }]);
        assert_eq!(document.get("clusters"), Some(&clusters));
    }

    #[test]
    fn a_plugin_without_its_configuration_is_incomplete() {
        let of = |extensions| server(&dump(extensions), &names());
        assert!(!has_all_plugins(&of(json!([]))));
        let plugin = json!({ "ecdsFilter": { "name": "plugin" } });
        let mut document = of(json!([plugin]));
        assert!(has_all_plugins(&document));
        remove_plugins(&mut document);
        assert!(!has_all_plugins(&document));
    }
}
