//! How costs grow with connections and with series.

use host_harness::Module;
use host_harness::scenario::Side;

use crate::Error;
use crate::cost::Cost;
use crate::filters::gzip;
use crate::sidecar::{Bench, Peers};

/// Connections that come and go before anything is measured.
const WARM_UP: usize = 100;
/// Workloads that connections come from where their number does not matter.
const PEERS: usize = 20;

/// Costs at a number of open connections.
#[derive(Clone, Copy, Debug)]
pub struct AtConnections {
    /// How many are open.
    pub open: usize,
    /// Fuel to open and exchange, each of those that came since the last step.
    pub fuel: u64,
    /// Bytes of guest memory in all.
    pub memory: usize,
    /// Bytes of guest memory that each has taken.
    pub memory_each: usize,
    /// A tick while none moves anything.
    pub idle_tick: Cost,
}

/// Costs at a number of series, each with one open connection.
#[derive(Clone, Copy, Debug)]
pub struct AtSeries {
    /// How many there are.
    pub series: usize,
    /// Bytes of guest memory that each has taken, its connection included.
    pub memory_each: usize,
    /// A tick while none moves anything.
    pub idle_tick: Cost,
    /// A tick after all moved bytes.
    pub busy_tick: Cost,
    /// Bytes that they are in `/stats/prometheus`, and what is left of them when that is
    /// compressed.
    pub scrape: (usize, usize),
}

/// Opens more and more connections of an inbound sidecar: a thousand, ten thousand, and so on.
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

/// Opens a connection from each of more and more workloads.
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
        report(AtSeries {
            series,
            memory_each,
            idle_tick,
            busy_tick,
            scrape,
        });
    }
    Ok(())
}

/// Powers of ten.
fn steps(first: usize, most: usize) -> impl Iterator<Item = usize> {
    std::iter::successors(Some(first), |step| step.checked_mul(10))
        .take_while(move |step| *step <= most)
}

/// Without a trace: that would have to hold every callback of a million connections.
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
