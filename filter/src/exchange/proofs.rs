//! Proofs that a server reads frames: it sent one.
//!
//! A server has its filter chain from the accept of a connection on, so its frame proves what held
//! when that connection opened. A proof belongs to a cluster and an address, admits one frame, and
//! ends by itself. The next proof is the answer to that frame, or the frame of a connection that was
//! opened after it. So a server that loses its filter receives one frame at most, however many
//! connections there are.
//!
//! Several servers can have one address, behind a gateway for example, and one of them may have no
//! filter. So after an answer without a frame, no connection that opens within the life of a proof
//! proves anything. A reset is no answer.
//!
//! All VMs of the proxy with the same id share the proofs in the host's shared data. Shared data
//! cannot be removed, so the number of keys is fixed, and each holds one server.

use std::time::Duration;

use crate::host::{Host, Status};

/// The beginning of the keys. Four hexadecimal digits follow: 65,536 keys.
const KEY: &str = "tcp_peer_stats.proofs.";

/// The longest cluster name and address, in bytes. A server with longer ones has no proof.
const MAX_NAME: usize = 1024;

/// How often a change is tried while other VMs change the same entry.
const ATTEMPTS: usize = 4;

/// The proofs of a proxy.
pub(super) struct Proofs<'a, H> {
    host: &'a H,
    /// How long a proof is valid, in nanoseconds.
    life: u64,
}

/// A proof that admits a frame on this connection.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Taken {
    pub(super) server: Server,
    /// When it was taken.
    at: u64,
}

/// What is stored for a server. Times are in nanoseconds since the Unix epoch.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    /// When the proof ends; 0 if it was taken.
    until: u64,
    /// A connection has to open after this to prove anything: when the last proof was taken, or when
    /// the pause after a frame without an answer ends; 0 if neither.
    after: u64,
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

impl Entry {
    fn encode(self, server: &Server) -> Vec<u8> {
        let mut raw = Vec::with_capacity(16 + server.name.len());
        raw.extend(self.until.to_le_bytes());
        raw.extend(self.after.to_le_bytes());
        raw.extend(server.name.as_bytes());
        raw
    }

    /// `None` if these bytes are not those of the server.
    fn decode(raw: &[u8], server: &Server) -> Option<Self> {
        let (until, raw) = raw.split_first_chunk()?;
        let (after, name) = raw.split_first_chunk()?;
        (name == server.name.as_bytes()).then(|| Self {
            until: u64::from_le_bytes(*until),
            after: u64::from_le_bytes(*after),
        })
    }
}

impl<'a, H: Host> Proofs<'a, H> {
    pub(super) fn new(host: &'a H, life: Duration) -> Self {
        Self {
            host,
            life: nanos(life),
        }
    }

    /// Takes the valid proof of a server, so that nobody else has it; `None` if there is none. A
    /// host that fails has none.
    pub(super) fn take(&self, server: Server) -> Option<Taken> {
        if self.life == 0 {
            return None;
        }
        let key = server.key();
        let (raw, version) = self.host.shared_data(&key).ok()??;
        let entry = Entry::decode(&raw, &server)?;
        let at = nanos(self.host.now().ok()?);
        let left = entry.until.checked_sub(at)?;
        // More is left if the clock went back, or another configuration has a longer life.
        if left == 0 || left > self.life {
            return None;
        }
        let entry = Entry {
            until: 0,
            after: at,
        };
        let raw = entry.encode(&server);
        self.host.set_shared_data(&key, &raw, version).ok()?;
        Some(Taken { server, at })
    }

    /// The server sent a frame on a connection that was opened at `opened_at`.
    ///
    /// # Errors
    /// A hostcall failed. The proof is missing, which is safe.
    pub(super) fn record(&self, server: &Server, opened_at: Duration) -> Result<(), Status> {
        let opened_at = nanos(opened_at);
        self.renew(server, opened_at, |stored| stored.after < opened_at)
    }

    /// The server answered the frame that a proof admitted.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub(super) fn record_answer(&self, taken: &Taken, opened_at: Duration) -> Result<(), Status> {
        let is_last = |stored: Entry| stored.after == taken.at;
        self.renew(&taken.server, nanos(opened_at), is_last)
    }

    /// A server at this address did not answer the frame that a proof admitted.
    ///
    /// # Errors
    /// A hostcall failed. Frames of other servers at this address remain proofs.
    pub(super) fn refuse(&self, server: &Server) -> Result<(), Status> {
        let after = nanos(self.host.now()?).saturating_add(self.life);
        self.update(server, |_| Some(Entry { until: 0, after }))
    }

    /// Stores a proof, if the server's entry allows it.
    fn renew(
        &self,
        server: &Server,
        opened_at: u64,
        allows: impl Fn(Entry) -> bool,
    ) -> Result<(), Status> {
        let stored = self.update(server, |stored| {
            stored.is_none_or(&allows).then(|| Entry {
                until: opened_at.saturating_add(self.life),
                ..stored.unwrap_or_default()
            })
        });
        match stored {
            // The other VMs know as much of this server.
            Err(Status::CAS_MISMATCH) => Ok(()),
            stored => stored,
        }
    }

    /// Stores what `change` returns for the server's entry, if it returns anything.
    ///
    /// # Errors
    /// A hostcall failed, or other VMs change the entry all the time ([`Status::CAS_MISMATCH`]).
    fn update(
        &self,
        server: &Server,
        change: impl Fn(Option<Entry>) -> Option<Entry>,
    ) -> Result<(), Status> {
        if self.life == 0 || server.name.len() > MAX_NAME {
            return Ok(());
        }
        let key = server.key();
        for _ in 0..ATTEMPTS {
            let (raw, version) = self.host.shared_data(&key)?.unwrap_or_default();
            let Some(entry) = change(Entry::decode(&raw, server)) else {
                return Ok(());
            };
            let raw = entry.encode(server);
            match self.host.set_shared_data(&key, &raw, version) {
                // Another VM changed the entry at the same time.
                Err(Status::CAS_MISMATCH) => {}
                stored => return stored,
            }
        }
        Err(Status::CAS_MISMATCH)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
