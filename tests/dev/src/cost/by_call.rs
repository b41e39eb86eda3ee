//! Where the instructions of a connection lie: the cost of each host call, times the number of
//! calls.

mod measure;
mod prices;
mod work;

use std::fmt::Write as _;
use std::path::Path;

use host_harness::Module;
use host_harness::scenario::Side;

use self::prices::{Instructions, Prices};
use self::work::Work;
use super::figures::Figures;
use super::situation::Situation;
use crate::bench::Contestant;
use mesh::EnvoyBinary;
use mesh::error::{Error, Result};
use mesh::wasm;

/// Prints what the filter adds to a connection, call by call, beside the recorded values of
/// [`Situation::MutualTls`]. `update`: records the cost of each call.
pub(super) fn run(binary: &EnvoyBinary, recorded: &Figures, update: bool) -> Result<()> {
    let [ours, empty] = [emulated(&wasm::build()?)?, emulated(&wasm::empty()?)?];
    let mut sides = Vec::new();
    for side in [Side::Outbound, Side::Inbound] {
        sides.push((side, Work::of(side, &ours)?, Work::of(side, &empty)?));
    }
    let calls = sides.iter().flat_map(|(_, work, _)| work.calls.keys());
    let prices = measure::prices(binary, calls.cloned().collect())?;
    if update {
        prices.write()?;
    }
    for (side, work, nothing) in &sides {
        let Some(added) = recorded.added(Situation::MutualTls, *side) else {
            continue;
        };
        print!("{}", table(*side, work, nothing, &prices, added));
    }
    Ok(())
}

/// The module of a file, for the emulator.
fn emulated(file: &Path) -> Result<Module> {
    Module::from_file(file).map_err(|error| Error::malformed(file.display(), error))
}

/// A table in Markdown. `added`: the instructions that an empty filter and the filter add to a
/// connection.
fn table(
    side: Side,
    work: &Work,
    nothing: &Work,
    prices: &Prices,
    [empty, ours]: [Instructions; 2],
) -> String {
    let mut text = format!(
        "| {side} | number | instructions of one | instructions |\n| --- | --- | --- | --- |\n"
    );
    let mut sum = empty;
    let mut row = |what: &str, number: u64, one: f64, all: f64| {
        let _fits = writeln!(text, "| {what} | {number} | {one:.1} | {all:.0} |");
    };
    row("an empty filter", 1, empty, empty);
    for (call, number) in &work.calls {
        let one = prices.of(side, call);
        let all = one * *number as f64;
        row(&format!("`{call}`"), *number, one, all);
        sum += all;
    }
    let fuel = work.fuel.saturating_sub(nothing.fuel);
    let one = prices.fuel(side);
    row("the guest's code, by fuel", fuel, one, one * fuel as f64);
    sum += one * fuel as f64;
    row("sum", 1, sum, sum);
    row("measured", 1, ours, ours);
    let _fits = writeln!(text, "explained: {:.0} %\n", 100.0 * sum / ours);
    text
}

impl Figures {
    /// The instructions that an empty filter and the filter add to a connection.
    fn added(&self, situation: Situation, side: Side) -> Option<[Instructions; 2]> {
        let of = |contestant| {
            let counted = self.get(situation, contestant)?;
            Some(match side {
                Side::Outbound => counted.client as Instructions,
                Side::Inbound => counted.server as Instructions,
            })
        };
        let none = of(Contestant::NoFilter)?;
        Some([
            of(Contestant::EmptyFilter)? - none,
            of(Contestant::Filter)? - none,
        ])
    }
}
