//! The host calls of a connection whose series exist, in the emulator.

use std::collections::BTreeMap;

use budget::{Bench, Peers};
use host_harness::scenario::Side;
use host_harness::{Event, Module};

use crate::cost::situation::Situation;
use mesh::error::{Error, Result};

/// The number of each host call of a filter for a connection with one message in each direction, by
/// its name and what the cost of it depends on.
pub(super) fn calls(
    situation: Situation,
    side: Side,
    module: &Module,
) -> Result<BTreeMap<String, i64>> {
    let trace = || {
        let bench = match situation {
            Situation::Plaintext => Bench::start_plaintext(side, module)?,
            Situation::MutualTls | Situation::ServerFirst => {
                Bench::start(side, module, &Peers::of(module, 1)?)?
            }
        };
        // The series exist afterwards.
        bench.whole(0, 0)?;
        bench.whole(0, 0)?;
        bench.trace(|| bench.whole(0, 0))
    };
    let trace = trace().map_err(|error: budget::Error| {
        Error::malformed(format!("a connection in the emulator, {side}"), error)
    })?;
    let mut calls = BTreeMap::new();
    for event in trace {
        if let Event::Hostcall { name, detail, .. } = event {
            *calls.entry(call(name, &detail)).or_default() += 1;
        }
    }
    Ok(calls)
}

/// The name of a host call, with its argument where the cost depends on it.
fn call(name: &str, detail: &str) -> String {
    let name = name.strip_prefix("proxy_").unwrap_or(name);
    match name {
        "get_property" | "call_foreign_function" => format!("{name} {detail}"),
        _ => name.to_owned(),
    }
}
