//! Host functions for shared data and shared queues.

use super::{Guest, Word};
use crate::abi::HostResult;
use crate::host::{Host, QueueOwner, SharedKey};

/// Returns a value and its compare-and-swap number.
pub(crate) fn proxy_get_shared_data(
    guest: &mut impl Guest,
    key: Word,
    key_size: Word,
    data: Word,
    size: Word,
    cas: Word,
) -> HostResult {
    let key = guest.bytes(key, key_size)?;
    let (value, number) = {
        let host = guest.host();
        let key = own_key(&host, key)?;
        let shared = host.process.shared.borrow();
        shared.get(&key)?
    };
    guest.hand_over(&value, data, size)?;
    guest.put(cas, &number.to_le_bytes())
}

pub(crate) fn proxy_set_shared_data(
    guest: &mut impl Guest,
    key: Word,
    key_size: Word,
    data: Word,
    size: Word,
    cas: u32,
) -> HostResult {
    let key = guest.bytes(key, key_size)?;
    let value = guest.bytes(data, size)?;
    let host = guest.host();
    let key = own_key(&host, key)?;
    host.process.shared.borrow_mut().set(key, value, cas)
}

/// Returns the token, the same for the same name. The root gets `proxy_on_queue_ready` for each
/// item from now on.
pub(crate) fn proxy_register_shared_queue(
    guest: &mut impl Guest,
    name: Word,
    name_size: Word,
    token: Word,
) -> HostResult {
    let name = guest.bytes(name, name_size)?;
    let found = {
        let host = guest.host();
        let key = own_key(&host, name)?;
        let (vm, root) = (host.vm, host.context()?.root);
        let mut shared = host.process.shared.borrow_mut();
        shared.register_queue(key, QueueOwner { vm, root })?
    };
    guest.put(token, &found.to_le_bytes())
}

/// Returns the token of a queue of another VM; an empty VM id is the filter's own.
pub(crate) fn proxy_resolve_shared_queue(
    guest: &mut impl Guest,
    vm: Word,
    vm_size: Word,
    name: Word,
    name_size: Word,
    token: Word,
) -> HostResult {
    let vm_id = guest.text(vm, vm_size)?;
    let name = guest.bytes(name, name_size)?;
    let found = {
        let host = guest.host();
        let mut key = own_key(&host, name)?;
        if !vm_id.is_empty() {
            key.vm_id = vm_id;
        }
        host.process.shared.borrow().resolve_queue(&key)?
    };
    guest.put(token, &found.to_le_bytes())
}

pub(crate) fn proxy_enqueue_shared_queue(
    guest: &mut impl Guest,
    token: u32,
    data: Word,
    size: Word,
) -> HostResult {
    let value = guest.bytes(data, size)?;
    let host = guest.host();
    host.process.shared.borrow_mut().enqueue(token, value)
}

pub(crate) fn proxy_dequeue_shared_queue(
    guest: &mut impl Guest,
    token: u32,
    data: Word,
    size: Word,
) -> HostResult {
    let value = guest.host().process.shared.borrow_mut().dequeue(token)?;
    guest.hand_over(&value, data, size)
}

fn own_key(host: &Host, name: Vec<u8>) -> HostResult<SharedKey> {
    let vm_id = host.context()?.plugin.vm_id.clone();
    Ok(SharedKey { vm_id, name })
}
