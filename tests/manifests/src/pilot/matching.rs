//! The match of a patch. As in istiod, a missing field matches everything.

use serde_json::{Map, Value};

use super::{list, text};
use crate::error::{Error, Result};

/// The listener of all inbound ports, and that of outbound ports without a listener of their own.
/// For them, a port number matches the destination port of a chain.
const VIRTUAL: [&str; 2] = ["virtualInbound", "virtualOutbound"];

/// `match` of a patch, without unsupported fields.
pub(super) struct Match<'a> {
    context: &'a str,
    listener: Option<&'a Map<String, Value>>,
    chain: Option<&'a Map<String, Value>>,
    cluster: Option<&'a Map<String, Value>>,
}

impl<'a> Match<'a> {
    pub(super) fn parse(what: &str, patch: &'a Value) -> Result<Self> {
        let object = |pointer: &str| patch.pointer(pointer).and_then(Value::as_object);
        let parsed = Self {
            context: patch
                .pointer("/match/context")
                .and_then(Value::as_str)
                .unwrap_or("ANY"),
            listener: object("/match/listener"),
            chain: object("/match/listener/filterChain"),
            cluster: object("/match/cluster"),
        };
        let known: [(_, &[&str]); 4] = [
            (object("/match"), &["context", "listener", "cluster"]),
            (
                parsed.listener,
                &["name", "portNumber", "filterChain", "listenerFilter"],
            ),
            (
                parsed.chain,
                &[
                    "destinationPort",
                    "applicationProtocols",
                    "transportProtocol",
                    "name",
                    "filter",
                ],
            ),
            (parsed.cluster, &["name", "portNumber"]),
        ];
        for (fields, known) in known {
            let mut names = fields.into_iter().flat_map(Map::keys);
            if let Some(unknown) = names.find(|name| !known.contains(&name.as_str())) {
                return Err(Error::render(
                    what,
                    format!("`match` has `{unknown}`, which is not supported"),
                ));
            }
        }
        Ok(parsed)
    }

    pub(super) fn takes_listener(&self, listener: &Value) -> bool {
        let context = match text(listener, "/traffic_direction") {
            "INBOUND" => "SIDECAR_INBOUND",
            _ => "SIDECAR_OUTBOUND",
        };
        let Some(wanted) = self.listener else {
            return self.takes_context(context);
        };
        let name = text(listener, "/name");
        let port = listener.pointer("/address/socket_address/port_value");
        self.takes_context(context)
            && wanted.get("name").is_none_or(|wanted| wanted == name)
            && (VIRTUAL.contains(&name)
                || wanted
                    .get("portNumber")
                    .is_none_or(|wanted| Some(wanted) == port))
    }

    pub(super) fn takes_chain(&self, listener: &Value, chain: &Value) -> bool {
        let wants = |fields: Option<&'a Map<String, Value>>, name: &str| {
            fields.and_then(|fields| fields.get(name))
        };
        let port = chain.pointer("/filter_chain_match/destination_port");
        let transport = chain.pointer("/filter_chain_match/transport_protocol");
        let protocols = list(chain, "/filter_chain_match/application_protocols");
        let is_virtual = VIRTUAL.contains(&text(listener, "/name"));
        let port_number = wants(self.listener, "portNumber").filter(|_| is_virtual);
        let all_protocols = |wanted: &Value| {
            let mut wanted = wanted.as_str().unwrap_or_default().split(',');
            wanted.all(|wanted| protocols.iter().any(|protocol| protocol == wanted))
        };
        port_number.is_none_or(|wanted| Some(wanted) == port)
            && wants(self.chain, "destinationPort").is_none_or(|wanted| Some(wanted) == port)
            && wants(self.chain, "transportProtocol").is_none_or(|wanted| Some(wanted) == transport)
            && wants(self.chain, "name").is_none_or(|wanted| Some(wanted) == chain.get("name"))
            && wants(self.chain, "applicationProtocols").is_none_or(all_protocols)
    }

    /// The name of the filter to change.
    pub(super) fn filter(&self) -> Option<&'a str> {
        self.chain?.get("filter")?.get("name")?.as_str()
    }

    /// The name of the listener filter to change.
    pub(super) fn listener_filter(&self) -> Option<&'a str> {
        self.listener?.get("listenerFilter")?.as_str()
    }

    pub(super) fn takes_cluster(&self, cluster: &Value) -> bool {
        let name = text(cluster, "/name");
        // `outbound|27017|subset|host`
        let mut parts = name.split('|');
        let context = match parts.next() {
            Some("inbound") => "SIDECAR_INBOUND",
            _ => "SIDECAR_OUTBOUND",
        };
        let port = parts.next().and_then(|port| port.parse::<u64>().ok());
        let wants = |name: &str| self.cluster.and_then(|fields| fields.get(name));
        self.takes_context(context)
            && wants("name").is_none_or(|wanted| wanted == name)
            && wants("portNumber").is_none_or(|wanted| wanted.as_u64() == port)
    }

    fn takes_context(&self, context: &str) -> bool {
        self.context == "ANY" || self.context == context
    }
}
