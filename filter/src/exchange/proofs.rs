//! Proofs that a server reads frames: it sent one.
//!
//! A proof belongs to a cluster and an address, and ends by itself. All VMs of the proxy with the
//! same id share the proofs in the host's shared data, so what one worker learned or revoked holds
//! for the others. Shared data cannot be removed, so the number of keys is fixed and the list under
//! each of them is bounded.

mod list;

use std::time::Duration;

use list::List;

use crate::host::{Host, Status};

/// How many keys hold the lists. The name of the server chooses the key.
const KEYS: u64 = 256;

/// How often a list is changed again that another VM changed at the same time.
const ATTEMPTS: u32 = 8;

/// The proofs of a proxy.
pub(super) struct Proofs<'a, H> {
    host: &'a H,
    /// How long a proof is valid.
    life: Duration,
}

/// A server as one cluster sees it. Two clusters may reach different servers by one address, by SNI
/// for example.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Server {
    cluster: String,
    address: String,
}

/// A valid proof.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Proof {
    pub(super) server: Server,
    /// At least half of its life is left.
    pub(super) is_fresh: bool,
}

impl Server {
    pub(super) fn new(cluster: String, address: String) -> Self {
        Self { cluster, address }
    }

    pub(super) fn cluster(&self) -> &str {
        &self.cluster
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    fn name(&self) -> String {
        format!("{}\n{}", self.cluster, self.address)
    }
}

impl<'a, H: Host> Proofs<'a, H> {
    pub(super) fn new(host: &'a H, life: Duration) -> Self {
        Self { host, life }
    }

    /// The valid proof of a server. A host that fails has none.
    pub(super) fn find(&self, server: Server) -> Option<Proof> {
        if self.life.is_zero() {
            return None;
        }
        let name = server.name();
        let (list, _) = self.read(&key(&name)).ok()?;
        let left = list.left(&name, self.host.now().ok()?)?;
        // More is left if the clock went back, or another configuration has a longer life.
        (left <= self.life).then(|| Proof {
            server,
            is_fresh: left > self.life / 2,
        })
    }

    /// The server sent a frame. If the host fails, the proof is missing, which is safe.
    pub(super) fn record(&self, server: &Server) {
        let Ok(now) = self.host.now() else { return };
        if !self.life.is_zero() {
            let name = server.name();
            let until = now.saturating_add(self.life);
            let _ = self.change(&key(&name), |list| list.insert(&name, now, until));
        }
    }

    /// The server answered without a frame.
    pub(super) fn revoke(&self, server: &Server) {
        let name = server.name();
        let key = key(&name);
        if self.change(&key, |list| list.remove(&name)).is_err() {
            // No proof is better than a wrong one.
            let _ = self.host.set_shared_data(&key, &[], 0);
        }
    }

    fn read(&self, key: &str) -> Result<(List, u32), Status> {
        let (raw, version) = self.host.shared_data(key)?.unwrap_or_default();
        Ok((List::decode(&raw), version))
    }

    fn change(&self, key: &str, change: impl Fn(&mut List)) -> Result<(), Status> {
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            let (mut list, version) = self.read(key)?;
            change(&mut list);
            result = self.host.set_shared_data(key, &list.encode(), version);
            if result != Err(Status::CAS_MISMATCH) {
                break;
            }
        }
        result
    }
}

/// The key of the list that has the server of this name. Every VM computes the same one.
fn key(name: &str) -> String {
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("tcp_peer_stats.proofs.{}", hash % KEYS)
}

#[cfg(test)]
mod tests;
