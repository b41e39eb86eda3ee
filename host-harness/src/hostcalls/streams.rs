//! Host functions that are about the connection: buffers and stream control.

use super::{Guest, Word};
use crate::abi::{BufferType, HostResult, Status, StreamType};

pub(crate) fn proxy_get_buffer_bytes(
    guest: &mut impl Guest,
    kind: u32,
    start: Word,
    length: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let kind = BufferType::try_from(kind)?;
    guest
        .host()
        .trace
        .detail(|| format!("{kind:?} {start}+{length}"));
    let bytes = guest.host().get_buffer(kind, start, length)?;
    guest.hand_over(&bytes, data, size)
}

pub(crate) fn proxy_get_buffer_status(
    guest: &mut impl Guest,
    kind: u32,
    size: Word,
    flags: Word,
) -> HostResult {
    let found = guest.host().buffer_size(BufferType::try_from(kind)?)?;
    guest
        .write_word(size, found as Word)
        .ok_or(Status::InvalidMemoryAccess)?;
    guest.put(flags, &0_u32.to_le_bytes())
}

pub(crate) fn proxy_set_buffer_bytes(
    guest: &mut impl Guest,
    kind: u32,
    start: Word,
    length: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let kind = BufferType::try_from(kind)?;
    let bytes = guest.bytes(data, size)?;
    let mut host = guest.host();
    host.trace
        .detail(|| format!("{kind:?} {start}+{length} := {} bytes", bytes.len()));
    host.set_buffer(kind, start, length, &bytes)
}

pub(crate) fn proxy_continue_stream(guest: &mut impl Guest, stream: u32) -> HostResult {
    guest.host().continue_stream(StreamType::try_from(stream)?)
}

pub(crate) fn proxy_close_stream(guest: &mut impl Guest, stream: u32) -> HostResult {
    guest.host().close_stream(StreamType::try_from(stream)?)
}

/// ABI 0.1.0, HTTP only.
pub(crate) fn proxy_continue_request(guest: &mut impl Guest) -> HostResult {
    guest.host().continue_stream(StreamType::Http)
}

/// ABI 0.1.0, HTTP only.
pub(crate) fn proxy_continue_response(guest: &mut impl Guest) -> HostResult {
    guest.host().continue_stream(StreamType::Http)
}

/// ABI 0.1.0, HTTP only: nothing to clear.
pub(crate) fn proxy_clear_route_cache(_: &mut impl Guest) -> HostResult {
    Ok(())
}
