//! What istiod configures for the sidecars of Bookinfo's ratings-v2 and mongodb.
//!
//! `cargo istio golden` writes the files: one per installation, `stock.<overlay>.json` for proxies
//! without Istio's own filters and `native.<overlay>.json` for Istio's own proxy.

mod stock;

use std::collections::BTreeMap;
use std::fs;

use mesh::workspace;
use serde_json::Value;

use crate::error::{Error, Result};

pub use self::stock::Place;

/// Istio's exchange filter.
pub const EXCHANGE: &str = "istio.metadata_exchange";
/// Istio's stats filter.
pub const STATS: &str = "istio.stats";
/// The port of the database.
pub const PORT: u64 = 27017;

/// The configuration of a client's sidecar and of a server's.
#[derive(Clone, Debug, PartialEq)]
pub struct Golden {
    /// ratings-v2.
    pub client: Side,
    /// mongodb-v1.
    pub server: Side,
}

/// The configuration of one sidecar: the resources that istiod sends.
#[derive(Clone, Debug, PartialEq)]
pub struct Side(Value);

impl Golden {
    /// Reads the file of an installation.
    ///
    /// # Errors
    /// There is no such file, or it has another form.
    pub fn read(name: &str) -> Result<Self> {
        let path = workspace::root().join(format!("tests/istio/golden/{name}.json"));
        let text = fs::read_to_string(&path).map_err(|source| Error::Read {
            path: path.clone(),
            source,
        })?;
        let malformed = |reason: String| Error::render(path.display().to_string(), reason);
        let mut document: Value =
            serde_json::from_str(&text).map_err(|error| malformed(error.to_string()))?;
        let mut side = |name: &str| match document.get_mut(name) {
            Some(side) => Ok(Side(side.take())),
            None => Err(malformed(format!("has no {name}"))),
        };
        Ok(Self {
            client: side("client")?,
            server: side("server")?,
        })
    }
}

impl Side {
    /// The resources by kind.
    #[must_use]
    pub fn document(&self) -> &Value {
        &self.0
    }

    /// The resources by kind, to be changed.
    pub fn document_mut(&mut self) -> &mut Value {
        &mut self.0
    }

    /// The chains for the database, and a client's chains for other destinations, by
    /// `<listener>/<transport>/<first ALPN>` of the chain's match.
    #[must_use]
    pub fn chains(&self) -> BTreeMap<String, &Value> {
        let mut chains = BTreeMap::new();
        for listener in list(&self.0, "/listeners") {
            let all = list(listener, "/filterChains").iter();
            for chain in all.filter(|chain| is_for_the_database(chain)) {
                let name = format!("{}{}", text(listener, "/name"), chain_match(chain));
                chains.insert(name, chain);
            }
        }
        chains
    }

    /// The names of the filters of every chain.
    #[must_use]
    pub fn filters(&self) -> BTreeMap<String, Vec<&str>> {
        let named = |chain| {
            list(chain, "/filters")
                .iter()
                .map(|it| text(it, "/name"))
                .collect()
        };
        let chains = self.chains().into_iter();
        chains.map(|(name, chain)| (name, named(chain))).collect()
    }

    /// The filters of this name, in the order of the chains' names.
    #[must_use]
    pub fn named(&self, filter: &str) -> Vec<(String, &Value)> {
        let mut found = Vec::new();
        for (name, chain) in self.chains() {
            let filters = list(chain, "/filters").iter();
            let own = filters.filter(|it| text(it, "/name") == filter);
            found.extend(own.map(|it| (name.clone(), it)));
        }
        found
    }

    /// The names of the filters of the inbound listener, before a chain is chosen.
    #[must_use]
    pub fn listener_filters(&self) -> Vec<&str> {
        let filters = list(&self.0, "/listeners/0/listenerFilters").iter();
        filters.map(|filter| text(filter, "/name")).collect()
    }

    /// The filters of every cluster that has some.
    #[must_use]
    pub fn cluster_filters(&self) -> BTreeMap<&str, &[Value]> {
        let clusters = list(&self.0, "/clusters").iter();
        let filters = clusters.map(|it| (text(it, "/name"), list(it, "/filters")));
        filters.filter(|(_, filters)| !filters.is_empty()).collect()
    }
}

/// Whether a chain is not for another port.
fn is_for_the_database(chain: &Value) -> bool {
    let port = chain.pointer("/filterChainMatch/destinationPort");
    let is_inbound = text(chain, "/name").starts_with("virtualInbound");
    !is_inbound && port.is_none_or(|port| *port == PORT)
}

fn chain_match(chain: &Value) -> String {
    let places = ["transportProtocol", "applicationProtocols/0"];
    let parts = places.map(|place| text(chain, &format!("/filterChainMatch/{place}")));
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    parts.map(|part| format!("/{part}")).collect()
}

/// The items at a place; none if there is no list.
#[must_use]
pub fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    let list = value.pointer(pointer).and_then(Value::as_array);
    list.map(Vec::as_slice).unwrap_or_default()
}

/// The text at a place, empty if there is none.
#[must_use]
pub fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    let text = value.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_default()
}
