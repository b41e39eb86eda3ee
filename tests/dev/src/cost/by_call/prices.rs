//! The instructions of each host call, and the file with the recorded ones.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use host_harness::scenario::Side;

use crate::cost::count::Count;
use crate::cost::figures::inline;
use crate::cost::situation::Situation;
use mesh::error::{Context, Result};

const HEAD: &str = "\
# Instructions of one host call in stock Envoy, in user mode, and of the bytes of two frames.
# `compiled` has the guest's allocator and the binding. `cargo cost --by-call --update` writes this
# file.
";

/// The name of what the bytes of a frame in each direction take, without host calls.
pub(super) const FRAME: &str = "bytes of two frames";

/// The instructions of each host call.
#[derive(Debug, Default)]
pub(super) struct Prices {
    client: BTreeMap<String, Count>,
    server: BTreeMap<String, Count>,
}

impl Prices {
    pub(super) fn insert(&mut self, call: &str, [client, server]: [Count; 2]) {
        self.client.insert(call.to_owned(), client);
        self.server.insert(call.to_owned(), server);
    }

    /// The instructions of one call; `None` if it was not measured.
    pub(super) fn of(&self, side: Side, call: &str) -> Option<Count> {
        let of = match side {
            Side::Outbound => &self.client,
            Side::Inbound => &self.server,
        };
        of.get(call).copied()
    }
}

/// Writes the file.
pub(super) fn write(all: &BTreeMap<Situation, Prices>) -> Result<()> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("cost-by-call.yaml");
    let mut text = HEAD.to_owned();
    for (situation, prices) in all {
        for (side, of) in [("client", &prices.client), ("server", &prices.server)] {
            text.push_str(&format!("{situation}, {side}:\n"));
            for (call, one) in of {
                text.push_str(&format!("  {call}: {}\n", inline(one)));
            }
        }
    }
    fs::write(&file, text).context(|| format!("cannot write {}", file.display()))
}
