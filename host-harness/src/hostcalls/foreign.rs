//! Foreign functions: those that Envoy registers and a network filter can use.

use std::collections::btree_map::Entry;
use std::net::{IpAddr, SocketAddr};

use prost::Message as _;

use super::{Guest, Word};
use crate::abi::{HostResult, Status};
use crate::host::{Expression, Host};
use crate::property::Prototype;

/// A filter that does not need the result passes null pointers for it.
pub(crate) fn proxy_call_foreign_function(
    guest: &mut impl Guest,
    name: Word,
    name_size: Word,
    argument: Word,
    argument_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let name = guest.text(name, name_size)?;
    let argument = guest.bytes(argument, argument_size)?;
    guest.host().trace.detail(|| name.clone());
    let result = call(&mut guest.host(), &name, &argument)?;
    if data == 0 || size == 0 {
        return Ok(());
    }
    guest.hand_over(&result, data, size)
}

/// Calls a foreign function: `NotFound` for a name that is not registered.
fn call(host: &mut Host, name: &str, argument: &[u8]) -> HostResult<Vec<u8>> {
    if !host.process.profile.has_function(name) {
        return Err(Status::NotFound);
    }
    match name {
        "set_envoy_filter_state" => set_envoy_filter_state(host, argument).map(|()| Vec::new()),
        "declare_property" => declare_property(host, argument).map(|()| Vec::new()),
        "expr_create" => create_expression(host, argument),
        "expr_evaluate" => evaluate_expression(host, argument),
        "expr_delete" => delete_expression(host, argument),
        // HTTP only: a TCP stream has no route.
        "clear_route_cache" => Ok(Vec::new()),
        "compress" | "sign" | "uncompress" | "verify_signature" => {
            host.lacks(format!("the foreign function {name}"));
            Err(Status::NotFound)
        }
        _ => Err(Status::NotFound),
    }
}

fn set_envoy_filter_state(host: &Host, argument: &[u8]) -> HostResult {
    let argument = SetEnvoyFilterState::decode(argument).map_err(|_| Status::BadArgument)?;
    if !host.process.profile.has_object(&argument.path) {
        return Err(Status::NotFound);
    }
    let value = object_text(&argument.path, argument.value).ok_or(Status::BadArgument)?;
    let stream = host.stream().ok_or(Status::NotFound)?;
    let state = &mut stream.borrow_mut().info.filter_state;
    state.set_string(argument.path, value);
    Ok(())
}

/// The text of the object that the factory of a key makes of a value; `None` if it rejects the
/// value.
fn object_text(key: &str, value: String) -> Option<String> {
    match key {
        // An address object without a port: its text has port 0.
        "envoy.network.ip" => {
            let ip: IpAddr = value.parse().ok()?;
            Some(SocketAddr::new(ip, 0).to_string())
        }
        "envoy.filters.listener.original_dst.local_ip"
        | "envoy.filters.listener.original_dst.remote_ip"
        | "envoy.network.transport_socket.original_dst_address" => {
            let address: SocketAddr = value.parse().ok()?;
            Some(address.to_string())
        }
        "envoy.ratelimit.hits_addend"
        | "envoy.tcp_proxy.per_connection_idle_timeout_ms"
        | "envoy.upstream.dynamic_port" => value.parse::<u64>().ok().map(|_| value),
        "envoy.network.transport_socket.http_11_proxy.info" => {
            let (_, proxy) = value.split_once(',')?;
            proxy.parse::<SocketAddr>().ok().map(|_| value)
        }
        "envoy.bool" => value.parse::<bool>().ok().map(|_| value),
        // No value is known that it accepts.
        "envoy.ai.llm_protocol.request" => None,
        _ => Some(value),
    }
}

/// Declares the type of a property. A context declares a name once. The life span has no effect in
/// a TCP stream, as all filter state lives as long as the connection.
fn declare_property(host: &mut Host, argument: &[u8]) -> HostResult {
    let argument = DeclareProperty::decode(argument).map_err(|_| Status::BadArgument)?;
    let prototype = Prototype::new(argument.kind, &argument.schema, argument.readonly);
    let name = (host.context_id(), argument.name);
    match host.declared.entry(name) {
        Entry::Vacant(entry) => {
            entry.insert(prototype);
            Ok(())
        }
        Entry::Occupied(_) => Err(Status::BadArgument),
    }
}

/// Returns the token of a new expression, 4 bytes: `BadArgument` if it does not parse or calls an
/// unknown function.
fn create_expression(host: &mut Host, argument: &[u8]) -> HostResult<Vec<u8>> {
    let source = std::str::from_utf8(argument).map_err(|_| Status::BadArgument)?;
    let expression = Expression::parse(source).map_err(|reason| reject(host, reason))?;
    if expression.needs_time {
        host.lacks("durations and timestamps in expressions");
    }
    let root = host.running_context()?.root;
    let token = host.expressions.add(root, expression);
    let token = token.map_err(|reason| reject(host, reason))?;
    Ok(token.to_le_bytes().to_vec())
}

fn reject(host: &Host, reason: String) -> Status {
    host.process.logs.error(reason);
    Status::BadArgument
}

/// Returns the encoded result: `NotFound` for an unknown token, `InternalFailure` for an error of
/// the evaluation. It reads the context of the running callback, not the effective one.
fn evaluate_expression(host: &Host, argument: &[u8]) -> HostResult<Vec<u8>> {
    let context = host.running_context()?;
    let expression = host.expressions.get(context.root, token(argument)?);
    let expression = expression.ok_or(Status::NotFound)?;
    host.look_up(context, |scope| expression.evaluate(scope))?
        .encode()
}

/// Deletes an expression. An unknown token is no error.
fn delete_expression(host: &mut Host, argument: &[u8]) -> HostResult<Vec<u8>> {
    let root = host.running_context()?.root;
    host.expressions.remove(root, token(argument)?);
    Ok(Vec::new())
}

fn token(argument: &[u8]) -> HostResult<u32> {
    argument
        .try_into()
        .map(u32::from_le_bytes)
        .map_err(|_| Status::BadArgument)
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
