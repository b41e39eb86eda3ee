//! The instructions of each host call, and the file with the recorded ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use host_harness::scenario::Side;

use mesh::error::{Context, Result};

/// A number of instructions.
pub(super) type Instructions = f64;

const HEAD: &str = "\
# Instructions of one host call in stock Envoy, in user mode, with those of the guest's allocator and
# of the binding; `fuel`: of one unit of fuel. `cargo cost --by-call --update` writes this file.
";

/// The instructions of each host call.
#[derive(Debug, Default)]
pub(super) struct Prices {
    client: BTreeMap<String, Instructions>,
    server: BTreeMap<String, Instructions>,
}

impl Prices {
    pub(super) fn insert(&mut self, call: &str, [client, server]: [Instructions; 2]) {
        self.client.insert(call.to_owned(), client);
        self.server.insert(call.to_owned(), server);
    }

    /// The instructions of one call; not a number if it was not measured.
    pub(super) fn of(&self, side: Side, call: &str) -> Instructions {
        let of = match side {
            Side::Outbound => &self.client,
            Side::Inbound => &self.server,
        };
        of.get(call).copied().unwrap_or(Instructions::NAN)
    }

    /// The instructions of one unit of fuel.
    pub(super) fn fuel(&self, side: Side) -> Instructions {
        self.of(side, FUEL)
    }

    pub(super) fn write(&self) -> Result<()> {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cost-by-call.yaml");
        let mut text = HEAD.to_owned();
        for (side, of) in [("client", &self.client), ("server", &self.server)] {
            text.push_str(&format!("{side}:\n"));
            for (call, one) in of {
                text.push_str(&format!("  {call}: {one:.1}\n"));
            }
        }
        fs::write(&file, text).context(|| format!("cannot write {}", file.display()))
    }
}

/// The name of a unit of fuel.
pub(super) const FUEL: &str = "fuel";
