//! Shared key-value data and queues: one store for all VMs of a process with the same `vm_id`.

use super::Host;
use crate::abi::{HostResult, Status};
use std::collections::{BTreeMap, VecDeque};

type Key = (String, Vec<u8>);

/// Envoy: `SharedData` and `SharedQueue` of the C++ host.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    values: BTreeMap<Key, (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Vec<Queue>,
    ready: VecDeque<Ready>,
    last_vm: u32,
}

#[derive(Debug)]
struct Queue {
    name: Key,
    items: VecDeque<Vec<u8>>,
    /// Who registered it last: that root is told of new items.
    vm: u32,
    root: u32,
}

/// Something was put into a queue, and this root is to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) vm: u32,
    pub(crate) root: u32,
    pub(crate) token: u32,
}

impl SharedData {
    /// The number of a new VM.
    pub(crate) fn register_vm(&mut self) -> u32 {
        self.last_vm += 1;
        self.last_vm
    }

    /// The next root to be told of a queue.
    pub(crate) fn next_ready(&mut self) -> Option<Ready> {
        self.ready.pop_front()
    }

    /// The compare-and-swap number is one for the whole process and never 0.
    fn next_cas(&mut self) -> u32 {
        self.last_cas = self.last_cas.checked_add(1).unwrap_or(1);
        self.last_cas
    }

    /// Tokens count from 1.
    fn queue(&mut self, token: u32) -> HostResult<&mut Queue> {
        let index = (token as usize).checked_sub(1).ok_or(Status::NotFound)?;
        self.queues.get_mut(index).ok_or(Status::NotFound)
    }

    fn token(&self, key: &Key) -> Option<u32> {
        let index = self.queues.iter().position(|queue| queue.name == *key)?;
        u32::try_from(index + 1).ok()
    }
}

impl Host {
    fn shared_key(&self, key: &[u8]) -> HostResult<Key> {
        Ok((self.context()?.plugin.vm_id.clone(), key.to_vec()))
    }

    /// `proxy_get_shared_data`: the value and its compare-and-swap number.
    pub(crate) fn get_shared_data(&self, key: &[u8]) -> HostResult<(Vec<u8>, u32)> {
        let shared = self.process.shared.borrow();
        shared
            .values
            .get(&self.shared_key(key)?)
            .cloned()
            .ok_or(Status::NotFound)
    }

    /// `proxy_set_shared_data`: a `cas` of 0 always writes, any other must be the current one.
    pub(crate) fn set_shared_data(&self, key: &[u8], value: Vec<u8>, cas: u32) -> HostResult {
        let key = self.shared_key(key)?;
        let mut shared = self.process.shared.borrow_mut();
        if let Some((_, current)) = shared.values.get(&key)
            && cas != 0
            && cas != *current
        {
            return Err(Status::CasMismatch);
        }
        let cas = shared.next_cas();
        shared.values.insert(key, (value, cas));
        Ok(())
    }

    /// `proxy_register_shared_queue`: the token, the same for the same name. The root is told of what is put in from now on.
    pub(crate) fn register_shared_queue(&self, name: &[u8]) -> HostResult<u32> {
        let name = self.shared_key(name)?;
        let (vm, root) = (self.vm, self.context()?.root);
        let mut shared = self.process.shared.borrow_mut();
        match shared.token(&name) {
            Some(token) => {
                let queue = shared.queue(token)?;
                (queue.vm, queue.root) = (vm, root);
            }
            None => shared.queues.push(Queue {
                name: name.clone(),
                items: VecDeque::new(),
                vm,
                root,
            }),
        }
        shared.token(&name).ok_or(Status::InternalFailure)
    }

    /// `proxy_resolve_shared_queue`: an empty VM id means the own.
    pub(crate) fn resolve_shared_queue(&self, vm_id: &str, name: &[u8]) -> HostResult<u32> {
        let mut key = self.shared_key(name)?;
        if !vm_id.is_empty() {
            vm_id.clone_into(&mut key.0);
        }
        self.process
            .shared
            .borrow()
            .token(&key)
            .ok_or(Status::NotFound)
    }

    /// `proxy_enqueue_shared_queue`.
    pub(crate) fn enqueue(&self, token: u32, value: Vec<u8>) -> HostResult {
        let mut shared = self.process.shared.borrow_mut();
        let queue = shared.queue(token)?;
        queue.items.push_back(value);
        let ready = Ready {
            vm: queue.vm,
            root: queue.root,
            token,
        };
        shared.ready.push_back(ready);
        Ok(())
    }

    /// `proxy_dequeue_shared_queue`.
    pub(crate) fn dequeue(&self, token: u32) -> HostResult<Vec<u8>> {
        let mut shared = self.process.shared.borrow_mut();
        shared.queue(token)?.items.pop_front().ok_or(Status::Empty)
    }
}
