//! The configuration that istiod generates for a sidecar from EnvoyFilters, Wasm plugins and
//! annotations.
//!
//! [`Sidecar`] begins with the configuration that istiod generates without manifests
//! (`pilot/*.yaml`), which has the exchange filter and the stats filter of Istio's proxy. Manifests
//! change it as in istiod. [`Sidecar::for_stock_envoy`] then removes the filters that only Istio's
//! proxy has.

mod destination_rule;
mod envoy_filter;
mod matching;
mod native;
mod plugin;
mod stats;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::manifest::Manifest;

pub use self::native::{EXCHANGE, Native};
pub use self::stats::stats_config;

const CLIENT: &str = include_str!("../pilot/client.yaml");
const SERVER: &str = include_str!("../pilot/server.yaml");
/// The pod's label that this project's manifests select by.
const LABEL: &str = "tcp-peer-stats";
const TLS_INSPECTOR: &str = "envoy.filters.listener.tls_inspector";
const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";

/// A sidecar's configuration.
#[derive(Clone, Debug)]
pub struct Sidecar {
    document: Value,
    labels: BTreeMap<String, String>,
}

/// The mode of a PeerAuthentication, and with it the filter chains of a TCP port
/// (`pilot/pkg/networking/core/filterchain_options.go`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtls {
    /// Three: TLS with one of Istio's ALPNs for mutual TLS, other TLS, which is passed through, and
    /// plaintext.
    Permissive,
    /// One, with a match on TLS alone.
    Strict,
    /// One, with a match on plaintext. Without a chain for TLS, the listener has no TLS inspector.
    Disable,
}

impl Sidecar {
    /// The sidecar of ratings-v2, in a pod with this value of the label `tcp-peer-stats`.
    ///
    /// # Errors
    /// The document is not YAML.
    pub fn client(label: &str) -> Result<Self> {
        Self::parse(CLIENT, label)
    }

    /// The sidecar of mongodb-v1, in a pod with this value of the label `tcp-peer-stats`.
    ///
    /// # Errors
    /// The document is not YAML.
    pub fn server(label: &str, mtls: Mtls) -> Result<Self> {
        let mut sidecar = Self::parse(SERVER, label)?;
        for listener in sidecar.listeners() {
            match mtls {
                Mtls::Permissive => {}
                Mtls::Strict => {
                    if let Some(chains) = array(listener, "filter_chains") {
                        chains.retain(|chain| chain.get("transport_socket").is_some());
                    }
                    for chain in elements(listener, "filter_chains") {
                        let matches = chain
                            .get_mut("filter_chain_match")
                            .and_then(Value::as_object_mut);
                        matches.map(|matches| matches.remove("application_protocols"));
                    }
                }
                Mtls::Disable => {
                    if let Some(chains) = array(listener, "filter_chains") {
                        chains.retain(|chain| chain_match(chain).ends_with("/raw_buffer"));
                    }
                }
            }
        }
        if mtls == Mtls::Disable {
            sidecar.remove_listener_filter(TLS_INSPECTOR);
        }
        Ok(sidecar)
    }

    /// The configuration for a proxy without Istio's filters: istiod runs with
    /// `PILOT_ENABLE_METADATA_EXCHANGE=false` and without a metrics provider. TLS contexts lack the
    /// ALPN of the exchange.
    #[must_use]
    pub fn without_natives(mut self) -> Self {
        native::remove(&mut self);
        native::remove_alpn(&mut self.document);
        self
    }

    fn parse(yaml: &str, label: &str) -> Result<Self> {
        let document = serde_saphyr::from_str(yaml)
            .map_err(|error| Error::render("a sidecar's configuration", error.to_string()))?;
        Ok(Self {
            document,
            labels: BTreeMap::from([(LABEL.to_owned(), label.to_owned())]),
        })
    }

    /// Applies manifests as istiod does: destination rules, plugins, then the EnvoyFilters in the
    /// order of their priority. Other kinds are ignored. Returns the number of chains, filters or
    /// clusters that each patch and plugin changed.
    ///
    /// # Errors
    /// A manifest lacks a field, or has a field that is not supported.
    pub fn apply(&mut self, manifests: &[Manifest]) -> Result<BTreeMap<String, usize>> {
        let mut hits = BTreeMap::new();
        for manifest in manifests {
            if manifest.kind() == "DestinationRule" {
                let count = destination_rule::apply(self, manifest)?;
                hits.insert(manifest.name().to_owned(), count);
            }
            if matches!(manifest.kind(), "WasmPlugin" | "TrafficExtension") {
                hits.insert(manifest.name().to_owned(), plugin::apply(self, manifest)?);
            }
        }
        let mut filters: Vec<_> = manifests
            .iter()
            .filter(|each| each.kind() == "EnvoyFilter")
            .collect();
        let priority = |each: &&Manifest| {
            each.document
                .pointer("/spec/priority")
                .and_then(Value::as_i64)
                .unwrap_or(0)
        };
        filters.sort_by_key(priority);
        for manifest in filters {
            for (index, count) in envoy_filter::apply(self, manifest)?.into_iter().enumerate() {
                hits.insert(format!("{}/{index}", manifest.name()), count);
            }
        }
        Ok(hits)
    }

    /// Returns the configuration without the filters that only Istio's proxy has, so that stock
    /// Envoy loads it. The filter's module is `wasm`.
    #[must_use]
    pub fn for_stock_envoy(&self, wasm: &Path) -> Value {
        let mut sidecar = self.clone();
        native::remove(&mut sidecar);
        sidecar.wasm_filters(&mut |_, filter| {
            if let Some(code) = filter.pointer_mut("/typed_config/config/vm_config/code") {
                *code = json!({ "local": { "filename": wasm } });
            }
        });
        sidecar.document
    }

    /// Replaces Istio's exchange filters: `inbound` replaces one in a chain, and `outbound` is the
    /// first filter of the chains to a cluster that has one.
    pub fn stand_in_for_exchange(&mut self, inbound: &Value, outbound: &Value) {
        native::stand_in(self, inbound, outbound);
    }

    /// Returns Istio's native filters in the configuration.
    #[must_use]
    pub fn natives(&self) -> Vec<Native> {
        native::find(self)
    }

    /// The names of the filters of every chain, by `<listener>/<port>/<transport>/<first ALPN>` of
    /// the chain's match.
    #[must_use]
    pub fn chains(&self) -> BTreeMap<String, Vec<String>> {
        let mut chains = BTreeMap::new();
        for listener in list(&self.document, "/static_resources/listeners") {
            for chain in list(listener, "/filter_chains") {
                let filters = list(chain, "/filters")
                    .iter()
                    .map(|filter| text(filter, "/name").to_owned());
                let name = format!("{}{}", text(listener, "/name"), chain_match(chain));
                chains.insert(name, filters.collect());
            }
        }
        chains
    }

    /// The ALPN list of the TLS context of every chain that has one, by the name as in
    /// [`Self::chains`].
    #[must_use]
    pub fn alpn(&self) -> BTreeMap<String, Vec<String>> {
        let place = "/transport_socket/typed_config/common_tls_context/alpn_protocols";
        let mut contexts = BTreeMap::new();
        for listener in list(&self.document, "/static_resources/listeners") {
            let chains = list(listener, "/filter_chains").iter();
            for chain in chains.filter(|chain| chain.get("transport_socket").is_some()) {
                let alpn = list(chain, place).iter().filter_map(Value::as_str);
                let name = format!("{}{}", text(listener, "/name"), chain_match(chain));
                contexts.insert(name, alpn.map(str::to_owned).collect());
            }
        }
        contexts
    }

    /// The names of a listener's listener filters.
    #[must_use]
    pub fn listener_filters(&self, listener: &str) -> Vec<String> {
        let listeners = list(&self.document, "/static_resources/listeners").iter();
        let named = listeners.filter(|each| text(each, "/name") == listener);
        let filters = named.flat_map(|listener| list(listener, "/listener_filters"));
        filters
            .map(|filter| text(filter, "/name").to_owned())
            .collect()
    }

    /// Removes a listener filter from all listeners.
    pub fn remove_listener_filter(&mut self, name: &str) {
        for listener in self.listeners() {
            if let Some(filters) = array(listener, "listener_filters") {
                filters.retain(|filter| text(filter, "/name") != name);
            }
        }
    }

    /// Calls `change` with every Wasm filter, and with its chain's name as in [`Self::chains`].
    pub fn wasm_filters(&mut self, change: &mut dyn FnMut(&str, &mut Value)) {
        for listener in self.listeners() {
            let listener_name = text(listener, "/name").to_owned();
            for chain in elements(listener, "filter_chains") {
                let name = format!("{listener_name}{}", chain_match(chain));
                let filters = elements(chain, "filters");
                let wasm =
                    filters.filter(|filter| text(filter, "/typed_config/@type") == WASM_TYPE);
                wasm.for_each(|filter| change(&name, filter));
            }
        }
    }

    fn listeners(&mut self) -> impl Iterator<Item = &mut Value> {
        self.resources("listeners")
    }

    fn clusters(&mut self) -> impl Iterator<Item = &mut Value> {
        self.resources("clusters")
    }

    fn resources(&mut self, kind: &str) -> impl Iterator<Item = &mut Value> {
        let resources = self.document.get_mut("static_resources").into_iter();
        resources.flat_map(move |resources| elements(resources, kind))
    }

    /// Whether the pod has all labels of a selector.
    fn is_selected(&self, labels: Option<&Value>) -> bool {
        let mut wanted = labels.and_then(Value::as_object).into_iter().flatten();
        wanted.all(|(key, value)| self.labels.get(key).map(String::as_str) == value.as_str())
    }
}

/// The destination port, the transport and the first ALPN that a chain matches, each behind a slash.
fn chain_match(chain: &Value) -> String {
    let port = chain.pointer("/filter_chain_match/destination_port");
    let port = port.map(|port| format!("/{port}")).unwrap_or_default();
    let transport = text(chain, "/filter_chain_match/transport_protocol");
    let alpn = text(chain, "/filter_chain_match/application_protocols/0");
    let named = [transport, alpn]
        .into_iter()
        .filter(|part| !part.is_empty());
    port + &named.map(|part| format!("/{part}")).collect::<String>()
}

/// Returns the list of this name, if there is one.
fn array<'a>(value: &'a mut Value, name: &str) -> Option<&'a mut Vec<Value>> {
    value.get_mut(name).and_then(Value::as_array_mut)
}

fn elements<'a>(value: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    array(value, name).into_iter().flatten()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}
