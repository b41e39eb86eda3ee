//! The report of a soak test.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;

use super::pair::Memory;
use mesh::Counts;
use mesh::labels::Reporter;

const MIB: f64 = 1024.0 * 1024.0;
/// The growth that is not a leak, in bytes: an allocator can retain or fragment memory.
const SLACK: u64 = 16 * 1024 * 1024;

/// The results of a soak test.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The number of connections that were open at the same time.
    pub concurrent: u64,
    /// The counts of the applications.
    pub counts: Counts,
    /// The duration in seconds.
    pub seconds: f64,
    /// The results of the client's and the server's sidecar.
    pub sidecars: [Sidecar; 2],
}

/// The results of one sidecar.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Sidecar {
    /// The reporter.
    pub reporter: Reporter,
    /// The counts of its filter.
    pub counts: Counts,
    /// The number of exchanges that brought the peer's metadata.
    pub exchanged: u64,
    /// The number of open connections of its Envoy.
    pub open: u64,
    /// Memory after the warm-up.
    pub warm: Memory,
    /// Memory at the end.
    pub end: Memory,
}

impl Report {
    /// Connections and bytes that a sidecar did not count, or counted twice.
    #[must_use]
    pub fn losses(&self) -> u64 {
        let differences = self.sidecars.iter().flat_map(|sidecar| {
            let (own, seen) = (sidecar.counts, self.counts);
            [
                own.opened.abs_diff(seen.opened),
                own.closed.abs_diff(seen.closed),
                own.received.abs_diff(seen.received),
                own.sent.abs_diff(seen.sent),
                sidecar.exchanged.abs_diff(seen.opened),
            ]
        });
        differences.sum()
    }

    /// Whether no count is lost, no connection is open and no memory grew.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.losses() == 0 && self.sidecars.iter().all(Sidecar::is_flat)
    }

    /// As one JSON document.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "ok": self.is_clean(),
            "losses": self.losses(),
            "report": self,
        })
    }
}

impl Sidecar {
    /// Whether no connection is open and the memory is that after the warm-up, within `SLACK`.
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.open == 0
            && self.end.resident <= self.warm.resident + SLACK
            && self.end.heap <= self.warm.heap + SLACK
            && self.end.vms == self.warm.vms
    }
}

impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for sidecar in &self.sidecars {
            let Sidecar {
                reporter,
                counts,
                exchanged,
                open,
                warm,
                end,
            } = sidecar;
            let mib = |bytes: u64| bytes as f64 / MIB;
            writeln!(
                f,
                "{reporter:<11}  opened {}, closed {}, received {} B, sent {} B, exchanged {exchanged}, still open {open}",
                counts.opened, counts.closed, counts.received, counts.sent,
            )?;
            writeln!(
                f,
                "{:<11}  resident {:.1} MiB, then {:.1} MiB; heap {:.1} MiB, then {:.1} MiB; VMs {}, then {}",
                "",
                mib(warm.resident),
                mib(end.resident),
                mib(warm.heap),
                mib(end.heap),
                warm.vms,
                end.vms,
            )?;
        }
        let Counts {
            opened,
            received,
            sent,
            ..
        } = self.counts;
        writeln!(
            f,
            "soak: {} at the same time, {received} B there, {sent} B back, memory {}, {:.0} s; {opened} connections, {} losses",
            self.concurrent,
            if self.sidecars.iter().all(Sidecar::is_flat) {
                "flat"
            } else {
                "NOT flat"
            },
            self.seconds,
            self.losses(),
        )
    }
}
