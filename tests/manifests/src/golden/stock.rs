//! The listeners and clusters of a sidecar for a stock Envoy on this machine: no redirection, no
//! filters that only Istio's own proxy has, certificates and endpoints in the configuration.

use std::net::SocketAddr;
use std::path::Path;

use mesh::mesh_ca::Identity;
use serde_json::{Value, json};

use super::{EXCHANGE, PORT, STATS, Side, is_for_the_database, list, text};
use crate::error::{Error, Result};

const WASM: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";
/// Listener filters for connections that iptables redirected, and for ports with HTTP.
const REDIRECTION: &str = "envoy.filters.listener.original_dst";

/// What a listener and a cluster of one sidecar get on this machine.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The name of the listener, and a part of the cluster's.
    pub name: &'a str,
    /// The address of the listener. Two listeners of an Envoy cannot have the same one, even with
    /// port 0.
    pub listener: SocketAddr,
    /// The host of the cluster.
    pub target: SocketAddr,
    /// The module.
    pub wasm: &'a Path,
    /// The certificate.
    pub identity: &'a Identity,
    /// The prefix of the filter's metrics; the one of its configuration if there is none.
    pub prefix: Option<&'a str>,
}

impl Side {
    /// Puts `filter` in the place of Istio's exchange filter in the chains of a server.
    pub fn replace_inbound_exchange(&mut self, filter: &Value) {
        self.each_chain(&mut |chain| {
            for own in elements(chain, "/filters") {
                if text(own, "/name") == EXCHANGE {
                    own.clone_from(filter);
                }
            }
        });
    }

    /// Puts `filter` first in the chains of a client whose cluster has Istio's exchange filter.
    pub fn replace_outbound_exchange(&mut self, filter: &Value) {
        let clusters = self.cluster_filters();
        let has = |name: &str| {
            let filters = clusters.get(name).copied().unwrap_or_default();
            filters
                .iter()
                .any(|filter| text(filter, "/name") == EXCHANGE)
        };
        let chains = self.chains();
        let is_changed = chains.values().any(|chain| has(cluster_of(chain)));
        if is_changed {
            self.each_chain(&mut |chain| insert(chain, filter.clone()));
        }
    }

    /// The listener and the cluster of the database for a stock Envoy.
    ///
    /// # Errors
    /// The configuration lacks a part.
    pub fn for_stock_envoy(&self, place: &Place<'_>) -> Result<[Value; 2]> {
        let missing = |part: &str| Error::render("a sidecar's configuration", part.to_owned());
        let listeners = list(&self.0, "/listeners").iter();
        let mut listener = listeners
            .filter(|it| text(it, "/name") != "virtualOutbound")
            .find(|it| !list(it, "/filterChains").is_empty())
            .cloned()
            .ok_or_else(|| missing("has no listener"))?;
        let wanted = format!("|{PORT}|");
        let mut clusters = list(&self.0, "/clusters").iter();
        let mut cluster = clusters
            .find(|it| text(it, "/name").contains(&wanted))
            .cloned()
            .ok_or_else(|| missing("has no cluster"))?;
        let cluster_name = text(&cluster, "/name").replace("||", &format!("|{}|", place.name));
        self.localise(&mut listener, place, &cluster_name);
        set(&mut cluster, "name", json!(cluster_name));
        set(&mut cluster, "type", json!("STATIC"));
        set(&mut cluster, "lbPolicy", json!("ROUND_ROBIN"));
        for name in [
            "filters",
            "edsClusterConfig",
            "upstreamBindConfig",
            "cleanupInterval",
        ] {
            remove(&mut cluster, name);
        }
        set(
            &mut cluster,
            "loadAssignment",
            self.endpoints(&cluster_name, place.target),
        );
        for value in [&mut listener, &mut cluster] {
            remove(value, "@type");
            certificates(value, place.identity);
        }
        Ok([listener, cluster])
    }

    /// istiod's endpoint at another address, or an endpoint without metadata.
    fn endpoints(&self, cluster: &str, target: SocketAddr) -> Value {
        let address = json!({ "address": target.ip(), "portValue": target.port() });
        let own =
            json!({ "lbEndpoints": [{ "endpoint": { "address": { "socketAddress": {} } } }] });
        let mut locality = self
            .0
            .pointer("/endpoints/0/endpoints/0")
            .cloned()
            .unwrap_or(own);
        for endpoint in elements(&mut locality, "/lbEndpoints") {
            if let Some(socket) = endpoint.pointer_mut("/endpoint/address/socketAddress") {
                socket.clone_from(&address);
            }
        }
        json!({ "clusterName": cluster, "endpoints": [locality] })
    }

    /// Keeps the chains for the database, on an address of this machine.
    fn localise(&self, listener: &mut Value, place: &Place<'_>, cluster: &str) {
        let address = json!({ "address": place.listener.ip(), "portValue": place.listener.port() });
        set(listener, "name", json!(place.name));
        set(listener, "address", json!({ "socketAddress": address }));
        remove(listener, "bindToPort");
        retain(listener, "/listenerFilters", &mut |filter| {
            let disabled = remove(filter, "filterDisabled");
            let is_off = disabled.is_some_and(|disabled| takes(&disabled, PORT));
            !is_off && text(filter, "/name") != REDIRECTION
        });
        retain(listener, "/filterChains", &mut |chain| {
            is_for_the_database(chain)
        });
        for chain in elements(listener, "/filterChains") {
            if let Some(matches) = chain.get_mut("filterChainMatch") {
                remove(matches, "destinationPort");
            }
            retain(chain, "/filters", &mut |filter| {
                ![EXCHANGE, STATS].contains(&text(filter, "/name"))
            });
            for filter in elements(chain, "/filters") {
                self.put_plugin(filter);
                if let Some(own) = filter.pointer_mut("/typedConfig/cluster") {
                    *own = json!(cluster);
                }
                if text(filter, "/typedConfig/@type") == WASM {
                    configure(filter, place);
                }
            }
        }
    }

    /// Replaces a reference to the configuration of a plugin by the configuration.
    fn put_plugin(&self, filter: &mut Value) {
        if filter.get("configDiscovery").is_none() {
            return;
        }
        let mut plugins = list(&self.0, "/extensions").iter();
        let own = plugins.find(|it| text(it, "/name") == text(filter, "/name"));
        if let Some(config) = own.and_then(|it| it.get("typedConfig")) {
            remove(filter, "configDiscovery");
            set(filter, "typedConfig", config.clone());
        }
    }

    fn each_chain(&mut self, change: &mut dyn FnMut(&mut Value)) {
        for listener in elements(&mut self.0, "/listeners") {
            let chains = elements(listener, "/filterChains");
            chains
                .filter(|chain| is_for_the_database(chain))
                .for_each(&mut *change);
        }
    }
}

/// Sets the module, the prefix of the metrics, and an interval that a test can wait for; the
/// default is 15 s.
fn configure(filter: &mut Value, place: &Place<'_>) {
    let local = json!({ "local": { "filename": place.wasm } });
    if let Some(code) = filter.pointer_mut("/typedConfig/config/vmConfig/code") {
        *code = local;
    }
    let Some(configuration) = filter.pointer_mut("/typedConfig/config/configuration/value") else {
        return;
    };
    let parsed = configuration
        .as_str()
        .and_then(|text| serde_json::from_str(text).ok());
    let mut own: Value = parsed.unwrap_or_default();
    set(&mut own, "tcp_reporting_duration", json!("200ms"));
    if let Some(prefix) = place.prefix {
        set(&mut own, "stat_prefix", json!(prefix));
    }
    *configuration = json!(own.to_string());
}

/// Puts the certificate into every TLS context. In a pod it comes from the agent.
fn certificates(value: &mut Value, identity: &Identity) {
    match value {
        Value::Object(members) => {
            if members.remove("tlsCertificateSdsSecretConfigs").is_some() {
                let own = json!([{
                    "certificateChain": { "filename": identity.chain },
                    "privateKey": { "filename": identity.key },
                }]);
                members.insert("tlsCertificates".into(), own);
            }
            if let Some(mut combined) = members.remove("combinedValidationContext") {
                let mut context =
                    remove(&mut combined, "defaultValidationContext").unwrap_or_default();
                set(
                    &mut context,
                    "trustedCa",
                    json!({ "filename": identity.root }),
                );
                members.insert("validationContext".into(), context);
            }
            members
                .values_mut()
                .for_each(|member| certificates(member, identity));
        }
        Value::Array(items) => items
            .iter_mut()
            .for_each(|item| certificates(item, identity)),
        _ => {}
    }
}

/// Whether the predicate of a listener filter matches a destination port.
fn takes(predicate: &Value, port: u64) -> bool {
    let edge = |name: &str| {
        let edge = predicate.pointer(&format!("/destinationPortRange/{name}"));
        edge.and_then(Value::as_u64).unwrap_or_default()
    };
    let mut rules = list(predicate, "/orMatch/rules").iter();
    match predicate.get("notMatch") {
        Some(inner) => !takes(inner, port),
        None => (edge("start")..edge("end")).contains(&port) || rules.any(|rule| takes(rule, port)),
    }
}

fn cluster_of(chain: &Value) -> &str {
    let filters = list(chain, "/filters").iter();
    let mut clusters = filters.map(|filter| text(filter, "/typedConfig/cluster"));
    clusters
        .rfind(|cluster| !cluster.is_empty())
        .unwrap_or_default()
}

fn insert(chain: &mut Value, filter: Value) {
    let filters = chain.get_mut("filters").and_then(Value::as_array_mut);
    if let Some(filters) = filters {
        filters.insert(0, filter);
    }
}

fn elements<'a>(value: &'a mut Value, pointer: &str) -> impl Iterator<Item = &'a mut Value> {
    let list = value.pointer_mut(pointer).and_then(Value::as_array_mut);
    list.into_iter().flatten()
}

fn retain(value: &mut Value, pointer: &str, keep: &mut dyn FnMut(&mut Value) -> bool) {
    if let Some(list) = value.pointer_mut(pointer).and_then(Value::as_array_mut) {
        list.retain_mut(keep);
    }
}

fn set(value: &mut Value, name: &str, member: Value) {
    if let Some(members) = value.as_object_mut() {
        members.insert(name.to_owned(), member);
    }
}

fn remove(value: &mut Value, name: &str) -> Option<Value> {
    value.as_object_mut()?.remove(name)
}
