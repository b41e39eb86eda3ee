//! Filter chains: the connections that a chain matches, and Envoy's own filters in it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

/// The facts of a new connection by which a listener chooses a filter chain.
#[derive(Debug, Clone, Default)]
pub(crate) struct ClientHello {
    pub(crate) is_tls: bool,
    /// The SNI; empty for none.
    pub(crate) server_name: String,
    /// The ALPN protocols that the client offers.
    pub(crate) alpn: Vec<String>,
}

/// The transport protocol that a `tls_inspector` detects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TransportProtocol {
    /// The connection begins with a ClientHello.
    Tls,
    /// It does not.
    RawBuffer,
}

/// The connections that a filter chain matches (`filter_chain_match`). An empty condition matches
/// every connection that no other chain names.
#[derive(Debug, Clone, Default)]
pub(crate) struct ChainMatch {
    pub(crate) server_names: Vec<String>,
    pub(crate) transport_protocol: Option<TransportProtocol>,
    pub(crate) application_protocols: Vec<String>,
}

impl ChainMatch {
    /// Returns the position of the chain for this connection. Server name, transport protocol and
    /// ALPN are compared in this order, the most specific value first; a chain that is chosen by one
    /// of them is not left for another. Envoy: `FilterChainManagerImpl::findFilterChain`.
    pub(crate) fn find(chains: &[&Self], hello: &ClientHello) -> Option<usize> {
        let all: Vec<_> = (0..chains.len()).collect();
        let names = hello.names();
        let named = narrow(&all, names.iter().map(Some), |at, name| {
            chains.get(at).is_some_and(|chain| chain.has_name(name))
        })?;
        let protocol = match hello.is_tls {
            true => TransportProtocol::Tls,
            false => TransportProtocol::RawBuffer,
        };
        let transported = narrow(&named, [Some(protocol), None], |at, protocol| {
            let own = chains.get(at).and_then(|chain| chain.transport_protocol);
            own == protocol
        })?;
        let offered = hello.alpn.iter().map(Some).chain([None]);
        let found = narrow(&transported, offered, |at, protocol| {
            let own = chains.get(at).map(|chain| &chain.application_protocols);
            match protocol {
                Some(protocol) => own.is_some_and(|own| own.contains(protocol)),
                None => own.is_some_and(Vec::is_empty),
            }
        })?;
        found.first().copied()
    }

    /// Whether the chain can only be chosen after a look at the first bytes.
    pub(crate) fn needs_first_bytes(&self) -> bool {
        !self.server_names.is_empty()
            || self.transport_protocol.is_some()
            || !self.application_protocols.is_empty()
    }

    fn has_name(&self, name: Option<&String>) -> bool {
        match name {
            Some(name) if name.is_empty() => self.server_names.is_empty(),
            Some(name) => self.server_names.contains(name),
            None => false,
        }
    }
}

/// The chains that have the first of these values that any of them has.
fn narrow<T: Copy>(
    among: &[usize],
    values: impl IntoIterator<Item = T>,
    has: impl Fn(usize, T) -> bool,
) -> Option<Vec<usize>> {
    values.into_iter().find_map(|value| {
        let having: Vec<_> = among.iter().copied().filter(|at| has(*at, value)).collect();
        (!having.is_empty()).then_some(having)
    })
}

impl ClientHello {
    /// The server names of chains that match, the most specific one first, the empty one last.
    fn names(&self) -> Vec<String> {
        let mut names = vec![self.server_name.clone()];
        let mut rest = self.server_name.as_str();
        while let Some((_, parent)) = rest.split_once('.') {
            names.push(format!("*.{parent}"));
            rest = parent;
        }
        names.push(String::new());
        names
    }
}

/// One of Envoy's own network filters in the chain of a filter under test.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum EnvoyFilter {
    /// `envoy.filters.network.rbac`: permits or denies the connection at its first bytes.
    Rbac(Rbac),
    /// `envoy.filters.network.sni_cluster`: the server name is the cluster of tcp_proxy.
    SniCluster {},
    /// `envoy.filters.network.set_filter_state`: sets strings by object key when the connection
    /// opens. The key `envoy.tcp_proxy.cluster` chooses the cluster of tcp_proxy.
    SetFilterState(BTreeMap<String, String>),
    /// `envoy.filters.network.connection_limit`: closes a connection above a number.
    ConnectionLimit {
        /// The highest number of open connections.
        max_connections: u32,
    },
}

/// The rules of an `rbac` filter with one policy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Rbac {
    /// What happens to a connection that the policy matches; the others get the opposite.
    pub action: RbacAction,
    /// URI SANs of the peer, of which one is needed; empty for any peer.
    #[serde(default)]
    pub principals: Vec<String>,
    /// Server names (SNI), of which one is needed; empty for any.
    #[serde(default)]
    pub server_names: Vec<String>,
}

/// The action of an `rbac` policy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RbacAction {
    /// Only matching connections are permitted.
    #[default]
    Allow,
    /// Matching connections are denied.
    Deny,
}

impl Rbac {
    /// Whether a connection with these URI SANs of the peer and this server name is permitted.
    pub(crate) fn permits(&self, peer: &[String], server_name: &str) -> bool {
        let is_principal =
            self.principals.is_empty() || peer.iter().any(|san| self.principals.contains(san));
        let is_named = self.server_names.is_empty()
            || self.server_names.iter().any(|name| name == server_name);
        (is_principal && is_named) == (self.action == RbacAction::Allow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(names: &[&str], tls: Option<TransportProtocol>, alpn: &[&str]) -> ChainMatch {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        ChainMatch {
            server_names: owned(names),
            transport_protocol: tls,
            application_protocols: owned(alpn),
        }
    }

    fn hello(server_name: &str, alpn: &[&str]) -> ClientHello {
        ClientHello {
            is_tls: true,
            server_name: server_name.to_owned(),
            alpn: alpn.iter().map(|text| (*text).to_owned()).collect(),
        }
    }

    #[test]
    fn the_most_specific_server_name_is_chosen_and_not_left_for_another() {
        let tls = Some(TransportProtocol::Tls);
        let chains = [
            chain(&["a.b.test"], None, &["h2"]),
            chain(&["*.b.test"], None, &[]),
            chain(&["*.test"], tls, &[]),
            chain(&[], None, &[]),
        ];
        let chains: Vec<_> = chains.iter().collect();
        let found = |name: &str, alpn: &[&str]| ChainMatch::find(&chains, &hello(name, alpn));
        assert_eq!(found("a.b.test", &["x", "h2"]), Some(0));
        assert_eq!(found("a.b.test", &["x"]), None);
        assert_eq!(found("c.b.test", &[]), Some(1));
        assert_eq!(found("c.d.test", &[]), Some(2));
        assert_eq!(found("other", &["h2"]), Some(3));
        assert_eq!(ChainMatch::find(&chains, &ClientHello::default()), Some(3));
    }

    #[test]
    fn a_policy_matches_all_of_its_conditions() {
        let rbac = Rbac {
            action: RbacAction::Deny,
            principals: vec!["spiffe://a".to_owned()],
            server_names: Vec::new(),
        };
        assert!(!rbac.permits(&["spiffe://b".to_owned(), "spiffe://a".to_owned()], "x"));
        assert!(rbac.permits(&[], "x"));
    }
}
