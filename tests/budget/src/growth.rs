//! The growth of costs with the numbers of connections and of series.

use host_harness::Module;
use host_harness::scenario::Side;

use crate::Error;
use crate::cost::Cost;
use crate::filters::gzip;
use crate::sidecar::{Bench, Peers};

/// The number of connections that open and close before the measurement.
const WARM_UP: usize = 100;
/// The number of client workloads if it does not affect the result.
const PEERS: usize = 20;

/// Costs at a number of open connections.
#[derive(Clone, Copy, Debug)]
pub struct AtConnections {
    /// The number of open connections.
    pub open: usize,
    /// Fuel of opening and exchanging, per connection that was opened since the last step.
    pub fuel: u64,
    /// Guest memory, in bytes.
    pub memory: usize,
    /// Guest memory per connection, in bytes.
    pub memory_each: usize,
    /// A tick while no connection moves bytes.
    pub idle_tick: Cost,
}

/// Costs at a number of series, each with one open connection.
#[derive(Clone, Copy, Debug)]
pub struct AtSeries {
    /// The number of series.
    pub series: usize,
    /// Fuel of opening and exchanging, per connection of a known series, of all series in turn.
    pub fuel: u64,
    /// Guest memory per series, its connection included, in bytes.
    pub memory_each: usize,
    /// A tick while no connection moves bytes.
    pub idle_tick: Cost,
    /// A tick after all connections moved bytes.
    pub busy_tick: Cost,
    /// The size of `/stats/prometheus`, in bytes: uncompressed and compressed.
    pub scrape: (usize, usize),
}

/// Opens an increasing number of connections of an inbound sidecar: a thousand, ten thousand, and
/// so on.
///
/// # Errors
/// See [`Error`].
pub fn by_connections(
    module: &Module,
    most: usize,
    mut report: impl FnMut(AtConnections),
) -> Result<(), Error> {
    let bench = Bench::start(Side::Inbound, module, &Peers::of(module, PEERS)?)?;
    let sidecar = bench.sidecar();
    bench.come_and_go(WARM_UP)?;
    let before = sidecar.memory_size();
    let mut open = Vec::new();
    for count in steps(1_000, most) {
        let more = count - open.len();
        let fuel = sidecar.fuel();
        open.extend(bench.open(more)?);
        let fuel = (sidecar.fuel() - fuel) / more.max(1) as u64;
        bench.tick();
        let idle_tick = tick(&bench);
        let memory = sidecar.memory_size();
        report(AtConnections {
            open: count,
            fuel,
            memory,
            memory_each: (memory - before).div_ceil(count),
            idle_tick,
        });
    }
    Ok(())
}

/// Opens a connection from each of an increasing number of workloads.
///
/// # Errors
/// See [`Error`].
pub fn by_series(
    module: &Module,
    most: usize,
    mut report: impl FnMut(AtSeries),
) -> Result<(), Error> {
    let peers = Peers::of(module, most)?;
    for series in steps(1, most) {
        let bench = Bench::start(Side::Inbound, module, &peers)?;
        let sidecar = bench.sidecar();
        bench.come_and_go(1)?;
        let before = sidecar.memory_size();
        let open = bench.open(series)?;
        bench.tick();
        let idle_tick = tick(&bench);
        open.iter()
            .try_for_each(|connection| bench.talk(connection))?;
        let memory_each = (sidecar.memory_size() - before).div_ceil(series);
        let busy_tick = tick(&bench);
        let text = sidecar.prometheus_text();
        let scrape = (text.len(), gzip(text.as_bytes())?.len());
        let fuel = sidecar.fuel();
        let _again = bench.open(series)?;
        let fuel = (sidecar.fuel() - fuel) / series as u64;
        report(AtSeries {
            series,
            fuel,
            memory_each,
            idle_tick,
            busy_tick,
            scrape,
        });
    }
    Ok(())
}

/// `first` times the powers of ten, up to `most`.
fn steps(first: usize, most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), |step| step.checked_mul(10))
        .take_while(move |step| *step <= most)
}

/// The cost of a tick, without a trace: a trace would contain the callbacks of all connections.
fn tick(bench: &Bench) -> Cost {
    let sidecar = bench.sidecar();
    let (fuel, hostcalls) = (sidecar.fuel(), sidecar.hostcalls().total());
    bench.tick();
    Cost {
        calls: 1,
        fuel: sidecar.fuel() - fuel,
        hostcalls: sidecar.hostcalls().total() - hostcalls,
        allocations: 0,
    }
}
