//! The costs that may grow: with open connections, with bytes, with series, with workers.

mod bytes;
mod memory;
mod plot;
mod series;
mod ticks;
mod workers;

use std::fmt::Write as _;

use clap::ValueEnum;

use self::plot::Plot;
use crate::bench::Contestant;
use mesh::EnvoyBinary;
use mesh::error::Result;

/// What a cost grows with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Growth {
    /// Resident memory by open connections
    Memory,
    /// Instructions by bytes
    Bytes,
    /// Instructions of a tick by series
    Ticks,
    /// Instructions of a connection by series, and the memory of a series
    Series,
    /// Instructions of a connection by workers
    Workers,
}

/// Measures, and prints a table in Markdown. Writes the plots to the target folder.
pub(super) fn run(binary: &EnvoyBinary, growth: Growth) -> Result<()> {
    let (table, plot) = match growth {
        Growth::Memory => (memory::table(binary)?, None),
        Growth::Bytes => (bytes::table(binary)?, None),
        Growth::Ticks => (ticks::table(binary)?, None),
        Growth::Series => series::table(binary).map(drawn)?,
        Growth::Workers => workers::table(binary).map(drawn)?,
    };
    println!("{table}");
    if let Some(plot) = plot {
        eprintln!("drew {}", plot.write()?.display());
    }
    Ok(())
}

fn drawn((table, plot): (String, Plot)) -> (String, Option<Plot>) {
    (table, Some(plot))
}

/// What a sidecar needs at a low and at a high amount.
type Ends = [i64; 2];

/// A table of the slope between two amounts that are `apart`, in both sidecars, by contestant.
fn slopes(
    unit: &str,
    apart: i64,
    measure: impl Fn(Contestant) -> Result<[Ends; 2]>,
) -> Result<String> {
    let slope = |[low, high]: Ends| (high - low) / apart;
    let of = |contestant| -> Result<[i64; 3]> {
        let [client, server] = measure(contestant)?.map(slope);
        eprintln!("{contestant:?}: {client} client, {server} server");
        Ok([client, server, client + server])
    };
    let [none, empty, ours] = Contestant::ALL.map(of);
    let rows = none?.into_iter().zip(empty?).zip(ours?);
    let mut text = format!(
        "| {unit} | no filter | empty filter | tcp-peer-stats | empty ÷ none | ours ÷ none |\n\
         | --- | --- | --- | --- | --- | --- |\n"
    );
    for (side, ((none, empty), ours)) in ["client", "server", "both"].iter().zip(rows) {
        let ratio = |of: i64| of as f64 / none as f64;
        let _fits = writeln!(
            text,
            "| {side} | {none} | {empty} | {ours} | {:.3} | {:.3} |",
            ratio(empty),
            ratio(ours)
        );
    }
    Ok(text)
}
