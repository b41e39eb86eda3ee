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
const WASM_TYPE: &str = "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm";

/// A sidecar's configuration.
#[derive(Clone, Debug)]
pub struct Sidecar {
    document: Value,
    labels: BTreeMap<String, String>,
}

/// The filter chains of a port that terminate a client's mTLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mtls {
    /// A chain with a match on Istio's ALPNs for mutual TLS, another for plaintext.
    Permissive,
    /// One chain, with a match on TLS alone.
    Strict,
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
        if mtls == Mtls::Strict {
            for listener in sidecar.listeners() {
                if let Some(chains) = array(listener, "filter_chains") {
                    chains.retain(|chain| {
                        text(chain, "/filter_chain_match/transport_protocol") == "tls"
                    });
                }
                for chain in elements(listener, "filter_chains") {
                    let matches = chain
                        .get_mut("filter_chain_match")
                        .and_then(Value::as_object_mut);
                    matches.map(|matches| matches.remove("application_protocols"));
                }
            }
        }
        Ok(sidecar)
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
        sidecar.wasm_filters(&mut |filter| {
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

    /// The names of the filters of every chain, by `<listener>/<chain>`. The name of a chain is its
    /// match.
    #[must_use]
    pub fn chains(&self) -> BTreeMap<String, Vec<String>> {
        let mut chains = BTreeMap::new();
        for listener in list(&self.document, "/static_resources/listeners") {
            for chain in list(listener, "/filter_chains") {
                let port = chain.pointer("/filter_chain_match/destination_port");
                let port = port.map(|port| format!("/{port}")).unwrap_or_default();
                let transport = match text(chain, "/filter_chain_match/transport_protocol") {
                    "" => String::new(),
                    transport => format!("/{transport}"),
                };
                let filters = list(chain, "/filters")
                    .iter()
                    .map(|filter| text(filter, "/name").to_owned());
                chains.insert(
                    format!("{}{port}{transport}", text(listener, "/name")),
                    filters.collect(),
                );
            }
        }
        chains
    }

    /// Calls `change` with every Wasm filter.
    pub fn wasm_filters(&mut self, change: &mut dyn FnMut(&mut Value)) {
        for listener in self.listeners() {
            for chain in elements(listener, "filter_chains") {
                let filters = elements(chain, "filters");
                let wasm =
                    filters.filter(|filter| text(filter, "/typed_config/@type") == WASM_TYPE);
                wasm.for_each(&mut *change);
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

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}
