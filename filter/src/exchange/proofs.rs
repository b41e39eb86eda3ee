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

/// The beginning of the keys of the lists. Two hexadecimal digits follow: 256 keys.
const KEY: &str = "tcp_peer_stats.proofs.";

/// How often a list is changed again that another VM changed at the same time.
const ATTEMPTS: u32 = 8;

/// The proofs of a proxy.
pub(super) struct Proofs<'a, H> {
    host: &'a H,
    /// How long a proof is valid, in milliseconds.
    life: u64,
}

/// A server as one cluster sees it. Two clusters may reach different servers by one address, by SNI
/// for example.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Server {
    /// The cluster's name, a line feed and the address.
    name: String,
}

/// A valid proof.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Proof {
    pub(super) server: Server,
    /// At least half of its life is left.
    pub(super) is_fresh: bool,
}

impl Server {
    pub(super) fn new(cluster: &str, address: &str) -> Self {
        let mut name = String::with_capacity(cluster.len() + 1 + address.len());
        name.push_str(cluster);
        name.push('\n');
        name.push_str(address);
        Self { name }
    }

    /// The cluster's name and the address.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.name.rsplit_once('\n').unwrap_or_default()
    }

    /// The key of the list that has this server. Every VM computes the same one.
    fn key(&self) -> String {
        // FNV-1a.
        let hash = self.name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let mut key = String::with_capacity(KEY.len() + 2);
        key.push_str(KEY);
        for digit in [hash / 16 % 16, hash % 16] {
            key.extend(char::from_digit(digit, 16));
        }
        key
    }
}

impl<'a, H: Host> Proofs<'a, H> {
    pub(super) fn new(host: &'a H, life: Duration) -> Self {
        Self {
            host,
            life: millis(life),
        }
    }

    /// The time in milliseconds since the Unix epoch.
    fn now(&self) -> Result<u64, Status> {
        self.host.now().map(millis)
    }

    /// The valid proof of a server. A host that fails has none.
    pub(super) fn find(&self, server: Server) -> Option<Proof> {
        if self.life == 0 {
            return None;
        }
        let (list, _) = self.read(&server.key()).ok()?;
        let left = list.left(&server.name, self.now().ok()?)?;
        // More is left if the clock went back, or another configuration has a longer life.
        (left <= self.life).then_some(Proof {
            server,
            is_fresh: left > self.life / 2,
        })
    }

    /// Whether a server has a valid proof of which at least half of its life is left.
    pub(super) fn has_fresh(&self, server: &Server) -> bool {
        self.find(server.clone())
            .is_some_and(|proof| proof.is_fresh)
    }

    /// The server sent a frame.
    ///
    /// # Errors
    /// A hostcall failed. The proof is missing, which is safe.
    pub(super) fn record(&self, server: &Server) -> Result<(), Status> {
        if self.life == 0 {
            return Ok(());
        }
        let now = self.now()?;
        let until = now.saturating_add(self.life);
        self.change(&server.key(), |list| list.with(&server.name, now, until))
    }

    /// The server answered without a frame.
    pub(super) fn revoke(&self, server: &Server) {
        let key = server.key();
        if self
            .change(&key, |list| list.without(&server.name))
            .is_err()
        {
            // No proof is better than a wrong one.
            let _ = self.host.set_shared_data(&key, &[], 0);
        }
    }

    fn read(&self, key: &str) -> Result<(List, u32), Status> {
        let (raw, version) = self.host.shared_data(key)?.unwrap_or_default();
        Ok((List::new(raw), version))
    }

    fn change(&self, key: &str, change: impl Fn(&List) -> List) -> Result<(), Status> {
        let mut result = Ok(());
        for _ in 0..ATTEMPTS {
            let (list, version) = self.read(key)?;
            result = self
                .host
                .set_shared_data(key, change(&list).as_bytes(), version);
            if result != Err(Status::CAS_MISMATCH) {
                break;
            }
        }
        result
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
