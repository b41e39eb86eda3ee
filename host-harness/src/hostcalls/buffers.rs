//! Host functions for the data and configuration buffers.

use super::{Guest, Word};
use crate::abi::{BufferType, HostResult, Status};
use crate::host::Host;

/// Returns the bytes of a range. A range past the end is cut, a start past the end reads nothing.
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
    let bytes = read(&guest.host(), kind, start, length)?;
    guest.hand_over(&bytes, data, size)
}

/// Returns the size of a buffer.
pub(crate) fn proxy_get_buffer_status(
    guest: &mut impl Guest,
    kind: u32,
    size: Word,
    flags: Word,
) -> HostResult {
    let kind = BufferType::try_from(kind)?;
    let found = guest.host().read_buffer(kind, <[u8]>::len)?;
    guest
        .write_word(size, found as Word)
        .ok_or(Status::InvalidMemoryAccess)?;
    guest.put(flags, &0_u32.to_le_bytes())
}

/// Replaces a range of a data buffer. The configuration buffers are read-only.
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
    match kind {
        BufferType::DownstreamData | BufferType::UpstreamData => {
            let context = host.context()?;
            context.write_data(kind, offset(start), offset(length), &bytes)
        }
        _ => host.read_buffer(kind, |_| ()).and(Err(Status::BadArgument)),
    }
}

/// Returns the plugin configuration in `proxy_on_configure` and the VM configuration outside of it;
/// ABI 0.1.0 only.
pub(crate) fn proxy_get_configuration(
    guest: &mut impl Guest,
    data: Word,
    size: Word,
) -> HostResult {
    let bytes = {
        let host = guest.host();
        read(&host, BufferType::PluginConfiguration, 0, Word::MAX)
            .or_else(|_| read(&host, BufferType::VmConfiguration, 0, Word::MAX))?
    };
    guest.hand_over(&bytes, data, size)
}

fn read(host: &Host, kind: BufferType, start: Word, length: Word) -> HostResult<Vec<u8>> {
    host.read_buffer(kind, |bytes| {
        let from = bytes.get(offset(start)..).unwrap_or_default();
        from.get(..offset(length)).unwrap_or(from).to_vec()
    })
}

/// An offset into a buffer. One that exceeds memory is past the end of any buffer.
fn offset(word: Word) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}
