//! Proofs that a server reads frames: it sent one.
//!
//! A proof belongs to a cluster and an address, admits one frame, and ends by itself. So a server
//! that loses its filter receives one frame at most, however many connections are opened to it. All
//! VMs of the proxy with the same id share the proofs in the host's shared data. Shared data cannot
//! be removed, so the number of keys is fixed, and each holds one server.

use std::time::Duration;

use crate::host::{Host, Status};

/// The beginning of the keys. Four hexadecimal digits follow: 65,536 keys.
const KEY: &str = "tcp_peer_stats.proofs.";

/// The longest cluster name and address, in bytes. A server with longer ones has no proof.
const MAX_NAME: usize = 1024;

/// The proofs of a proxy.
pub(super) struct Proofs<'a, H> {
    host: &'a H,
    /// How long a proof is valid, in milliseconds.
    life: u64,
}

/// A server as one cluster sees it. Two clusters may reach different servers by one address, by SNI
/// for example.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Server {
    /// The cluster's name, a line feed and the address.
    name: String,
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

    /// The key that may hold this server. Every VM computes the same one.
    fn key(&self) -> String {
        // FNV-1a.
        let hash = self.name.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        let hash = hash ^ (hash >> 16);
        let mut key = String::with_capacity(KEY.len() + 4);
        key.push_str(KEY);
        for shift in [12, 8, 4, 0] {
            key.extend(char::from_digit((hash >> shift) % 16, 16));
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

    /// Takes the valid proof of a server, so that nobody else has it; returns whether there was one.
    /// A host that fails has none.
    pub(super) fn take(&self, server: &Server) -> bool {
        self.life > 0 && self.try_take(server).unwrap_or(false)
    }

    fn try_take(&self, server: &Server) -> Result<bool, Status> {
        let key = server.key();
        let Some((proof, version)) = self.host.shared_data(&key)? else {
            return Ok(false);
        };
        let Some(until) = decode(&proof, server) else {
            return Ok(false);
        };
        let left = until.saturating_sub(self.now()?);
        // More is left if the clock went back, or another configuration has a longer life.
        if left == 0 || left > self.life {
            return Ok(false);
        }
        self.host.set_shared_data(&key, &[], version)?;
        Ok(true)
    }

    /// The server sent a frame.
    ///
    /// # Errors
    /// A hostcall failed. The proof is missing, which is safe.
    pub(super) fn record(&self, server: &Server) -> Result<(), Status> {
        if self.life == 0 || server.name.len() > MAX_NAME {
            return Ok(());
        }
        let until = self.now()?.saturating_add(self.life);
        let proof = encode(until, server);
        self.host.set_shared_data(&server.key(), &proof, 0)
    }

    /// The time in milliseconds since the Unix epoch.
    fn now(&self) -> Result<u64, Status> {
        self.host.now().map(millis)
    }
}

/// A proof as it is stored: when it ends, in milliseconds since the Unix epoch (8 bytes,
/// little-endian), and the name of the server.
fn encode(until: u64, server: &Server) -> Vec<u8> {
    let mut proof = until.to_le_bytes().to_vec();
    proof.extend(server.name.as_bytes());
    proof
}

/// When the proof of the server ends; `None` if these bytes are none of it.
fn decode(proof: &[u8], server: &Server) -> Option<u64> {
    let (until, name) = proof.split_first_chunk()?;
    (name == server.name.as_bytes()).then(|| u64::from_le_bytes(*until))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
