//! The host calls and the fuel of a connection with a known peer, in the emulator.

use std::collections::BTreeMap;

use budget::{Bench, Peers};
use host_harness::scenario::Side;
use host_harness::{Event, Module};

use mesh::error::{Error, Result};

/// What a filter does for one connection.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// The number of each host call, by its name and what the cost of it depends on.
    pub(super) calls: BTreeMap<String, u64>,
    /// Fuel of all callbacks.
    pub(super) fuel: u64,
}

impl Work {
    /// The work of a filter for a connection with one message in each direction.
    pub(super) fn of(side: Side, module: &Module) -> Result<Self> {
        let trace = || {
            let peers = Peers::of(module, 1)?;
            let bench = Bench::start(side, module, &peers)?;
            // The series exist afterwards.
            bench.whole(0, 0)?;
            bench.whole(0, 0)?;
            bench.trace(|| bench.whole(0, 0))
        };
        let failed =
            |error| Error::malformed(format!("a connection in the emulator, {side}"), error);
        let trace = trace().map_err(|error: budget::Error| failed(error))?;
        let mut work = Self::default();
        for event in trace {
            match event {
                Event::Hostcall { name, detail, .. } => {
                    *work.calls.entry(call(name, &detail)).or_default() += 1;
                }
                Event::Callback { fuel, .. } => work.fuel += fuel,
            }
        }
        Ok(work)
    }
}

/// The name of a host call, with its argument where the cost depends on it.
fn call(name: &str, detail: &str) -> String {
    let name = name.strip_prefix("proxy_").unwrap_or(name);
    match name {
        "get_property" | "call_foreign_function" => format!("{name} {detail}"),
        _ => name.to_owned(),
    }
}
