//! The instructions of a connection and the memory by the number of series, at the client's sidecar.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::ops::Range;
use std::thread;
use std::time::Duration;

use serde_json::json;

use super::plot::{Curve, Plot};
use crate::cost::callgrind::{self, Callgrind};
use crate::cost::connections::{self, First};
use crate::soak::{Pair, Setup};
use mesh::error::{Context, Result};
use mesh::{EnvoyBinary, Filter, Hop, Scratch, wasm};

/// The numbers of series.
const SERIES: [u16; 4] = [1, 10, 100, 10_000];
/// The numbers of series between which memory is measured.
const FEW: u16 = 1_000;
const MANY: u16 = 9_000;
/// The client's port of the first series: each port has a series of its own.
const FIRST_PORT: u16 = 20_000;
/// The number of connections that are counted, spread over the series.
const CONNECTIONS: u16 = 200;
/// The wait until both Envoys have closed the last connection.
const REST: Duration = Duration::from_secs(3);

/// Returns a table in Markdown, and the plot of its instructions.
pub(super) fn table(binary: &EnvoyBinary) -> Result<(String, Plot)> {
    let scratch = Scratch::new("series")?;
    let dir = scratch.folder("callgrind")?;
    let counter = Callgrind::new(&dir);
    let pair = start(&counter.wrap_paused(binary)?, callgrind::setup(Hop::Mesh))?;
    let [client, _] = pair.both()?;
    let mut traffic = Traffic::new(&pair);
    let mut text =
        "| series | Envoy | allocator | compiled code | instructions of a connection |\n\
                    | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let mut points = Vec::new();
    let mut known = 0;
    for series in SERIES {
        traffic.one_each(known..series)?;
        known = series;
        counter.resume(client)?;
        traffic.spread(series)?;
        counter.start(client)?;
        traffic.spread(series)?;
        thread::sleep(REST);
        let count = counter.stop(client)? / i64::from(CONNECTIONS);
        counter.pause(client)?;
        eprintln!("{series} series: {count:?}");
        let _fits = writeln!(text, "| {series} | {} |", count.cells());
        points.push((u32::from(series), count.total() as f64 / 1e3));
    }
    let [resident, heap] = memory(binary)?;
    let _fits = write!(
        text,
        "\n| bytes of a series, with its four metrics | |\n\
         | --- | --- |\n\
         | resident memory of Envoy, with one worker's guest | {resident} |\n\
         | of it, Envoy's heap | {heap} |\n"
    );
    let plot = Plot {
        name: "series",
        title: "k instructions of a connection, client's sidecar, by the number of series",
        curves: vec![Curve::ours(points)],
    };
    Ok((text, plot))
}

/// The resident memory and the heap that a series takes in the client's Envoy, in bytes.
fn memory(binary: &EnvoyBinary) -> Result<[u64; 2]> {
    let pair = start(binary, Setup::default())?;
    let mut traffic = Traffic::new(&pair);
    let mut with = |ports: Range<u16>| -> Result<[u64; 2]> {
        traffic.one_each(ports)?;
        thread::sleep(REST);
        let [client, _] = pair.memory()?;
        Ok([client.resident, client.heap])
    };
    let ([resident, heap], [more_resident, more_heap]) = (with(0..FEW)?, with(FEW..MANY)?);
    let slope = |few: u64, many: u64| many.saturating_sub(few) / u64::from(MANY - FEW);
    Ok([slope(resident, more_resident), slope(heap, more_heap)])
}

fn start(binary: &EnvoyBinary, setup: Setup) -> Result<Pair> {
    // The bootstrap has the label. No tick is in a count.
    let client = json!({
        "tcp_reporting_duration": "3600s",
        "reporter": "SOURCE",
        "metrics": [{ "dimensions": { "source_app": "source.port" } }],
        "limits": { "max_series": 2 * MANY },
    });
    let server = json!({ "tcp_reporting_duration": "3600s", "reporter": "DESTINATION" });
    let filters = [client, server].map(Filter::Configured);
    let application = connections::serve(First::Client)?;
    Pair::start_with(binary, &wasm::build()?, filters, application, setup)
}

/// Connections from chosen ports.
struct Traffic<'a> {
    pair: &'a Pair,
    /// The address of the next connections: a port is used once from an address.
    from: u32,
}

impl<'a> Traffic<'a> {
    fn new(pair: &'a Pair) -> Self {
        let from = Ipv4Addr::new(127, 1, 0, 0).to_bits();
        Self { pair, from }
    }

    /// Opens a connection of each of these series.
    fn one_each(&mut self, series: Range<u16>) -> Result<()> {
        if series.start == 0 {
            connections::warm_up(connections::WARM_UP, || self.ask(0)).context(what)?;
        }
        series
            .into_iter()
            .try_for_each(|number| self.ask(number))
            .context(what)
    }

    /// Opens connections of series at equal distances.
    fn spread(&mut self, series: u16) -> Result<()> {
        (0..CONNECTIONS)
            .try_for_each(|n| {
                let number = u32::from(n) * u32::from(series) / u32::from(CONNECTIONS);
                self.ask(number as u16)
            })
            .context(what)
    }

    fn ask(&mut self, series: u16) -> std::io::Result<()> {
        self.from += 1;
        let from = SocketAddrV4::new(Ipv4Addr::from_bits(self.from), FIRST_PORT + series);
        connections::ask_from(from, self.pair.address())
    }
}

fn what() -> &'static str {
    "a connection through both sidecars"
}
