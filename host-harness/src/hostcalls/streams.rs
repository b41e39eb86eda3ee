//! Host functions that control the stream and the life of contexts.

use super::Guest;
use crate::abi::{HostResult, Status, StreamType};
use crate::host::{Deferred, FilterContext};

/// Continues a stream after the callback. Not implemented for the upstream direction, without
/// effect for HTTP.
pub(crate) fn proxy_continue_stream(guest: &mut impl Guest, stream: u32) -> HostResult {
    match StreamType::try_from(stream)? {
        StreamType::Downstream => {
            let mut host = guest.host();
            if let Some(stream) = host.stream() {
                let connection = stream.borrow().info.connection_id;
                let (vm, context) = (host.vm, host.context_id());
                let filter = FilterContext { vm, context };
                host.deferred
                    .push(Deferred::ContinueReading { connection, filter });
            }
            Ok(())
        }
        StreamType::Upstream => Err(Status::Unimplemented),
        StreamType::Http => Ok(()),
    }
}

/// Closes the downstream connection after the callback, for both directions of a TCP stream.
pub(crate) fn proxy_close_stream(guest: &mut impl Guest, stream: u32) -> HostResult {
    let kind = StreamType::try_from(stream)?;
    let mut host = guest.host();
    if kind != StreamType::Http
        && let Some(stream) = host.stream()
    {
        let connection = stream.borrow().info.connection_id;
        host.deferred.push(Deferred::Close(connection));
    }
    Ok(())
}

pub(crate) fn proxy_set_effective_context(guest: &mut impl Guest, context: u32) -> HostResult {
    guest.host().set_effective_context(context)
}

/// Completes the shutdown of a root context: `NotFound` unless the shutdown waits for this call.
pub(crate) fn proxy_done(guest: &mut impl Guest) -> HostResult {
    let mut host = guest.host();
    let root = host.context()?.root;
    let waiting = host
        .pending_done
        .iter()
        .position(|id| *id == root)
        .ok_or(Status::NotFound)?;
    host.pending_done.swap_remove(waiting);
    host.deferred.push(Deferred::Done(root));
    Ok(())
}
