//! The costs that grow: with the number of open connections, with bytes, with the number of series.

mod bytes;
mod memory;
mod ticks;

use std::fmt::Write as _;

use clap::ValueEnum;

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
}

/// Measures, and prints a table in Markdown.
pub(super) fn run(binary: &EnvoyBinary, growth: Growth) -> Result<()> {
    let table = match growth {
        Growth::Memory => memory::table(binary)?,
        Growth::Bytes => bytes::table(binary)?,
        Growth::Ticks => ticks::table(binary)?,
    };
    println!("{table}");
    Ok(())
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
