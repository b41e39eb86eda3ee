//! Shared key-value data and queues: one store for all VMs of a process with the same `vm_id`.

use std::collections::{BTreeMap, VecDeque};

use crate::abi::{HostResult, Status};

/// The name of a value or a queue.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SharedKey {
    pub(crate) vm_id: String,
    pub(crate) name: Vec<u8>,
}

/// Envoy: `SharedData` and `SharedQueue` of the C++ host.
#[derive(Debug, Default)]
pub(crate) struct SharedData {
    values: BTreeMap<SharedKey, (Vec<u8>, u32)>,
    last_cas: u32,
    queues: Vec<Queue>,
    notifications: VecDeque<(QueueOwner, u32)>,
    last_vm: u32,
}

#[derive(Debug)]
struct Queue {
    key: SharedKey,
    items: VecDeque<Vec<u8>>,
    /// The root that registered the queue last; only it gets `proxy_on_queue_ready`.
    owner: QueueOwner,
}

/// A root context, among all VMs of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct QueueOwner {
    pub(crate) vm: u32,
    pub(crate) root: u32,
}

impl SharedData {
    /// Returns the number of a new VM.
    pub(crate) fn register_vm(&mut self) -> u32 {
        self.last_vm += 1;
        self.last_vm
    }

    /// The next notification of a new item: the root to notify, and the token of the queue.
    pub(crate) fn next_notification(&mut self) -> Option<(QueueOwner, u32)> {
        self.notifications.pop_front()
    }

    /// Whether there is a notification.
    pub(crate) fn has_notifications(&self) -> bool {
        !self.notifications.is_empty()
    }

    /// The value and its compare-and-swap number.
    pub(crate) fn get(&self, key: &SharedKey) -> HostResult<(Vec<u8>, u32)> {
        self.values.get(key).cloned().ok_or(Status::NotFound)
    }

    /// Sets a value. A `cas` of 0 always writes, any other must be the current one.
    pub(crate) fn set(&mut self, key: SharedKey, value: Vec<u8>, cas: u32) -> HostResult {
        if let Some((_, current)) = self.values.get(&key)
            && cas != 0
            && cas != *current
        {
            return Err(Status::CasMismatch);
        }
        let cas = self.next_cas();
        self.values.insert(key, (value, cas));
        Ok(())
    }

    /// Registers a queue, or changes its owner, and returns its token.
    pub(crate) fn register_queue(&mut self, key: SharedKey, owner: QueueOwner) -> HostResult<u32> {
        match self.resolve_queue(&key) {
            Ok(token) => self.queue(token)?.owner = owner,
            Err(_) => self.queues.push(Queue {
                key: key.clone(),
                items: VecDeque::new(),
                owner,
            }),
        }
        self.resolve_queue(&key)
            .map_err(|_| Status::InternalFailure)
    }

    /// The token of a queue.
    pub(crate) fn resolve_queue(&self, key: &SharedKey) -> HostResult<u32> {
        let index = self.queues.iter().position(|queue| queue.key == *key);
        let token = index.and_then(|index| u32::try_from(index + 1).ok());
        token.ok_or(Status::NotFound)
    }

    /// Adds an item to a queue and notifies its owner.
    pub(crate) fn enqueue(&mut self, token: u32, value: Vec<u8>) -> HostResult {
        let queue = self.queue(token)?;
        queue.items.push_back(value);
        let owner = queue.owner;
        self.notifications.push_back((owner, token));
        Ok(())
    }

    /// Removes and returns the oldest item of a queue.
    pub(crate) fn dequeue(&mut self, token: u32) -> HostResult<Vec<u8>> {
        self.queue(token)?.items.pop_front().ok_or(Status::Empty)
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
}
