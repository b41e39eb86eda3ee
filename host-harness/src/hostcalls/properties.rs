//! Host functions for properties.

use super::{Guest, Word};
use crate::abi::{HostResult, Status};
use crate::attributes;
use crate::host::Host;
use crate::property::Prototype;

/// Returns the value at a path: an attribute, or a property that a wasm filter set.
pub(crate) fn proxy_get_property(
    guest: &mut impl Guest,
    path: Word,
    path_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let path = guest.text(path, path_size)?;
    let value = {
        let mut host = guest.host();
        host.trace.detail(|| path.replace('\0', "."));
        let value = get(&host, &path);
        if value == Err(Status::NotFound) {
            let path = path.trim_end_matches('\0').replace('\0', ".");
            host.trace.missing_property(&path);
        }
        value?
    };
    guest.hand_over(&value, data, size)
}

/// Sets filter state `wasm.<path>` of the stream. Its type is the one that was declared before the
/// first call. A root context has no filter state.
pub(crate) fn proxy_set_property(
    guest: &mut impl Guest,
    path: Word,
    path_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let path = guest.text(path, path_size)?;
    let value = guest.bytes(data, size)?;
    let mut host = guest.host();
    host.trace
        .detail(|| format!("{} = {} bytes", path.replace('\0', "."), value.len()));
    set(&host, &path, value)
}

fn get(host: &Host, path: &str) -> HostResult<Vec<u8>> {
    let found = host.look_up(host.context()?, |scope| attributes::lookup(scope, path));
    found.ok_or(Status::NotFound)?.encode()
}

fn set(host: &Host, path: &str, value: Vec<u8>) -> HostResult {
    let stream = host.stream().ok_or(Status::NotFound)?;
    let declared = declaration(host, path)?;
    let state = &mut stream.borrow_mut().info.filter_state;
    state.set_property(path, value, declared)
}

/// The declaration of a property by the root context; declarations of streams have no effect.
fn declaration(host: &Host, name: &str) -> HostResult<Prototype> {
    let declared = host.declared.get(&(host.context()?.root, name.to_owned()));
    Ok(declared.copied().unwrap_or_default())
}
