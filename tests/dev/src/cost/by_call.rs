//! Where the instructions of a connection lie: the cost of each host call, times the number of
//! calls.

mod measure;
mod prices;
mod work;

use std::collections::BTreeMap;
use std::fmt::Write as _;

use host_harness::Module;
use host_harness::scenario::Side;

use self::prices::{FRAME, Prices};
use super::count::Count;
use super::figures::Figures;
use super::situation::Situation;
use crate::bench::Contestant;
use mesh::EnvoyBinary;
use mesh::error::{Error, Result};
use mesh::wasm;

/// The situations whose cost is explained.
const SITUATIONS: [Situation; 2] = [Situation::MutualTls, Situation::Plaintext];

/// Prints what the filter adds to a connection, call by call, beside the recorded values. `update`:
/// records the cost of each call.
pub(super) fn run(binary: &EnvoyBinary, recorded: &Figures, update: bool) -> Result<()> {
    let file = wasm::build()?;
    let module =
        Module::from_file(&file).map_err(|error| Error::malformed(file.display(), error))?;
    let mut all = BTreeMap::new();
    for situation in SITUATIONS {
        let mut sides = Vec::new();
        for side in [Side::Outbound, Side::Inbound] {
            sides.push((side, work::calls(situation, side, &module)?));
        }
        let calls = sides.iter().flat_map(|(_, calls)| calls.clone()).collect();
        let prices = measure::prices(binary, situation, &calls)?;
        for (side, calls) in &sides {
            if let Some(added) = recorded.added(situation, *side) {
                print!("{}", table(situation, *side, calls, &prices, added));
            }
        }
        all.insert(situation, prices);
    }
    match update {
        true => prices::write(&all),
        false => Ok(()),
    }
}

/// A table in Markdown. `added`: what an empty filter and the filter add to a connection.
fn table(
    situation: Situation,
    side: Side,
    calls: &BTreeMap<String, i64>,
    prices: &Prices,
    [empty, ours]: [Count; 2],
) -> String {
    let mut text = format!(
        "| {situation}, {side} | number | Envoy | allocator | compiled code | instructions |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    let mut row = |what: &str, number: i64, of: Count| {
        let _fits = writeln!(text, "| {what} | {number} | {} |", of.cells());
    };
    row("an empty filter", 1, empty);
    let mut sum = empty;
    let frames = match situation {
        Situation::Plaintext => None,
        Situation::MutualTls | Situation::ServerFirst => Some((FRAME, 1)),
    };
    let calls = calls.iter().map(|(call, number)| (call.as_str(), *number));
    for (call, number) in calls.chain(frames) {
        let of = prices.of(side, call).unwrap_or_default() * number;
        row(call, number, of);
        sum = sum + of;
    }
    let rest = Count {
        compiled: ours.compiled - sum.compiled,
        ..Count::default()
    };
    row(
        "the guest's own code: the rest of the measured compiled code",
        1,
        rest,
    );
    sum = sum + rest;
    row("sum", 1, sum);
    row("measured", 1, ours);
    let explained = |sum: i64, of: i64| 100.0 * sum as f64 / of as f64;
    let _fits = writeln!(
        text,
        "explained: {:.0} %, without compiled code {:.0} %\n",
        explained(sum.total(), ours.total()),
        explained(sum.total() - sum.compiled, ours.total() - ours.compiled),
    );
    text
}

impl Figures {
    /// What an empty filter and the filter add to a connection.
    fn added(&self, situation: Situation, side: Side) -> Option<[Count; 2]> {
        let of = |contestant| {
            let counted = self.get(situation, contestant)?;
            Some(match side {
                Side::Outbound => counted.client,
                Side::Inbound => counted.server,
            })
        };
        let none = of(Contestant::NoFilter)?;
        Some([
            of(Contestant::EmptyFilter)? - none,
            of(Contestant::Filter)? - none,
        ])
    }
}
