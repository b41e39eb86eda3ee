//! The instructions of a connection by the number of workers of both sidecars.

use std::fmt::Write as _;

use super::plot::{Curve, Plot};
use crate::bench::{Contestant, Modules};
use crate::cost::situation::Situation;
use mesh::EnvoyBinary;
use mesh::error::Result;

/// The numbers of workers of each Envoy. V8 reserves 10 GB of addresses for each VM, and callgrind has
/// 128 GB: with 16 workers, some get no VM.
const WORKERS: [u32; 4] = [1, 2, 4, 8];
/// The number of connections that are counted.
const CONNECTIONS: u32 = 400;

/// Returns a table in Markdown, and the plot of its instructions.
pub(super) fn table(binary: &EnvoyBinary) -> Result<(String, Plot)> {
    let modules = Modules::build()?;
    let mut text = "| workers | no filter | tcp-peer-stats | ours ÷ none |\n\
                    | --- | --- | --- | --- |\n"
        .to_owned();
    let (mut without, mut with) = (Vec::new(), Vec::new());
    for workers in WORKERS {
        let count = |contestant| -> Result<i64> {
            let counted =
                Situation::MutualTls.count(contestant, binary, &modules, CONNECTIONS, workers)?;
            eprintln!("{workers} workers, {contestant:?}: {counted}");
            Ok(counted.client.total() + counted.server.total())
        };
        let (none, ours) = (count(Contestant::NoFilter)?, count(Contestant::Filter)?);
        let ratio = ours as f64 / none as f64;
        let _fits = writeln!(text, "| {workers} | {none} | {ours} | {ratio:.3} |");
        without.push((workers, none as f64 / 1e3));
        with.push((workers, ours as f64 / 1e3));
    }
    let plot = Plot {
        name: "workers",
        title: "k instructions of a connection, both sidecars, by workers of each",
        curves: vec![Curve::none(without), Curve::ours(with)],
    };
    Ok((text, plot))
}
