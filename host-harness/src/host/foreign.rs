//! Foreign functions that Envoy registers and a network filter can use.

use super::Host;
use crate::abi::{HostResult, Status};
use crate::property::{Prototype, StateObject};
use prost::Message as _;
use std::collections::btree_map::Entry;
use std::net::{IpAddr, SocketAddr};

/// Filter-state keys with a registered object factory in stock Envoy 1.40, as its node lists them.
const FILTER_STATE_FACTORIES: [&str; 14] = [
    "envoy.filters.listener.original_dst.local_ip",
    "envoy.filters.listener.original_dst.remote_ip",
    "envoy.hashable_string",
    "envoy.network.application_protocols",
    "envoy.network.ip",
    "envoy.network.network_namespace",
    "envoy.network.transport_socket.original_dst_address",
    "envoy.network.upstream_server_name",
    "envoy.network.upstream_subject_alt_names",
    "envoy.string",
    "envoy.tcp_proxy.cluster",
    "envoy.tcp_proxy.disable_tunneling",
    "envoy.tcp_proxy.per_connection_idle_timeout_ms",
    "envoy.upstream.dynamic_host",
];

impl Host {
    /// `proxy_call_foreign_function`: `NotFound` for a name that is not registered.
    pub(crate) fn call_foreign_function(
        &mut self,
        name: &str,
        argument: &[u8],
    ) -> HostResult<Vec<u8>> {
        match name {
            "set_envoy_filter_state" => self.set_envoy_filter_state(argument).map(|()| Vec::new()),
            "declare_property" => self.declare_property(argument).map(|()| Vec::new()),
            "expr_create" => self.create_expression(argument),
            "expr_evaluate" => self.evaluate_expression(argument),
            "expr_delete" => self.delete_expression(argument),
            // HTTP only: there is no route to forget.
            "clear_route_cache" => Ok(Vec::new()),
            _ => Err(Status::NotFound),
        }
    }

    fn set_envoy_filter_state(&self, argument: &[u8]) -> HostResult {
        let argument = SetEnvoyFilterState::decode(argument).map_err(|_| Status::BadArgument)?;
        if !FILTER_STATE_FACTORIES.contains(&argument.path.as_str()) {
            return Err(Status::NotFound);
        }
        let value = match argument.path.as_str() {
            // An address object without a port: it reads back with port 0.
            "envoy.network.ip" => {
                let ip: IpAddr = argument.value.parse().map_err(|_| Status::BadArgument)?;
                SocketAddr::new(ip, 0).to_string()
            }
            _ => argument.value,
        };
        let stream = self.stream().ok_or(Status::NotFound)?;
        let mut stream = stream.borrow_mut();
        stream
            .info
            .filter_state
            .insert(argument.path, StateObject::string(value));
        Ok(())
    }

    /// The type of a property, for whoever walks into it; a context declares a name once. The life span tells when Envoy drops
    /// it, which is with the connection in a TCP stream.
    fn declare_property(&mut self, argument: &[u8]) -> HostResult {
        let argument = DeclareProperty::decode(argument).map_err(|_| Status::BadArgument)?;
        let prototype = Prototype::new(argument.kind, &argument.schema, argument.readonly);
        let name = (self.context_id(), argument.name);
        match self.declared.entry(name) {
            Entry::Vacant(entry) => {
                entry.insert(prototype);
                Ok(())
            }
            Entry::Occupied(_) => Err(Status::BadArgument),
        }
    }
}

/// `envoy.source.extensions.common.wasm.SetEnvoyFilterStateArguments`.
#[derive(Clone, PartialEq, prost::Message)]
struct SetEnvoyFilterState {
    #[prost(string, tag = "1")]
    path: String,
    #[prost(string, tag = "2")]
    value: String,
    #[prost(int32, tag = "3")]
    span: i32,
}

/// `envoy.source.extensions.common.wasm.DeclarePropertyArguments`.
#[derive(Clone, PartialEq, prost::Message)]
struct DeclareProperty {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(bool, tag = "2")]
    readonly: bool,
    #[prost(int32, tag = "3")]
    kind: i32,
    #[prost(string, tag = "4")]
    schema: String,
    #[prost(int32, tag = "5")]
    span: i32,
}
