//! Host functions for HTTP and gRPC. A network filter has neither.

use super::{Guest, Word};
use crate::abi::{HostResult, Status};

/// Defines host functions that fail with this status.
macro_rules! without_http {
    ($status:ident: $($name:ident($($type:ty),*);)*) => {
        $(#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
        pub(crate) fn $name(_: &mut impl Guest, $(_: $type),*) -> HostResult {
            Err(Status::$status)
        })*
    };
}

// A TCP stream has no header maps.
without_http! { BadArgument:
    proxy_set_header_map_pairs(u32, Word, Word);
    proxy_get_header_map_value(u32, Word, Word, Word, Word);
    proxy_replace_header_map_value(u32, Word, Word, Word, Word);
    proxy_add_header_map_value(u32, Word, Word, Word, Word);
    proxy_remove_header_map_value(u32, Word, Word);
    proxy_get_header_map_size(u32, Word);
}

// No call has a token, as all calls fail.
without_http! { BadArgument:
    proxy_grpc_send(u32, Word, Word, u32);
    proxy_grpc_cancel(u32);
    proxy_grpc_close(u32);
}

/// Envoy refuses a call to a cluster that it does not have. The emulated Envoy has one, and makes no
/// HTTP calls to it.
#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
pub(crate) fn proxy_http_call(
    guest: &mut impl Guest,
    cluster: Word,
    cluster_size: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: u32,
    _: Word,
) -> HostResult {
    let cluster = guest.text(cluster, cluster_size)?;
    let mut host = guest.host();
    host.trace.detail(|| cluster.clone());
    if host.process.clusters.borrow().contains(&cluster) {
        host.lacks(format!("proxy_http_call to {cluster}"));
    }
    Err(Status::BadArgument)
}

/// Defines host functions that Envoy has for network filters and the emulator has not.
macro_rules! unsupported {
    ($($name:ident($($type:ty),*);)*) => {
        $(#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
        pub(crate) fn $name(guest: &mut impl Guest, $(_: $type),*) -> HostResult {
            guest.host().lacks(stringify!($name));
            Err(Status::InternalFailure)
        })*
    };
}

unsupported! {
    proxy_grpc_call(Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, u32, Word);
    proxy_grpc_stream(Word, Word, Word, Word, Word, Word, Word, Word, Word);
}

/// Without a header map Envoy returns an empty list.
pub(crate) fn proxy_get_header_map_pairs(
    guest: &mut impl Guest,
    _: u32,
    data: Word,
    size: Word,
) -> HostResult {
    guest.hand_over(&[], data, size)
}

/// Without an HTTP stream Envoy returns Ok and does nothing.
#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
pub(crate) fn proxy_send_local_response(
    _: &mut impl Guest,
    _: u32,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: u32,
) -> HostResult {
    Ok(())
}

/// ABI 0.1.0 only; without effect in a TCP stream.
pub(crate) fn proxy_continue_request(_: &mut impl Guest) -> HostResult {
    Ok(())
}

/// ABI 0.1.0 only; without effect in a TCP stream.
pub(crate) fn proxy_continue_response(_: &mut impl Guest) -> HostResult {
    Ok(())
}

/// ABI 0.1.0 only; a TCP stream has no route cache.
pub(crate) fn proxy_clear_route_cache(_: &mut impl Guest) -> HostResult {
    Ok(())
}
