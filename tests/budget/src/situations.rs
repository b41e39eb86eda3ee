//! Everyday situations, each on a sidecar of its own.

use host_harness::Module;
use host_harness::scenario::Side;

use crate::Error;
use crate::cost::{Cost, Costs};
use crate::sidecar::{Bench, Peers};

/// How many messages go each way in a whole connection behind the first two: ten data callbacks.
const MESSAGES: usize = 5;
/// How many messages go each way in the steady state.
const STEADY: usize = 10;
/// How many different peers there are where many connections are open.
const PEERS: usize = 20;
/// Few open connections.
const FEW: usize = 1_000;
/// Connections that come and go before memory is looked at: the allocator has then what it needs
/// for one.
const WARM_UP: usize = 1_000;
/// Connections that move bytes between two ticks.
const BUSY: usize = 10_000;

/// A situation: its name in the budget, and how it comes about.
pub(crate) struct Situation {
    pub(crate) name: &'static str,
    play: fn(&Scene<'_>) -> Result<Costs, Error>,
}

/// A sidecar's side, its filter, and its peers.
pub(crate) struct Scene<'a> {
    pub(crate) side: Side,
    pub(crate) module: &'a Module,
    pub(crate) peers: &'a Peers,
}

/// Those of the filter.
pub(crate) const SITUATIONS: [Situation; 6] = [
    Situation {
        name: "start",
        play: start,
    },
    Situation {
        name: "connection, series new",
        play: series_new,
    },
    Situation {
        name: "connection, series known",
        play: series_known,
    },
    Situation {
        name: "data",
        play: data,
    },
    Situation {
        name: "tick, 1 000 idle",
        play: |scene| Ok(idle(scene, FEW)?.0),
    },
    Situation {
        name: "tick, 10 000 busy in 20 series",
        play: busy_tick,
    },
];

/// Those of a filter that does nothing.
pub(crate) const EMPTY: [Situation; 2] = [
    Situation {
        name: "connection",
        play: series_known,
    },
    Situation {
        name: "data",
        play: data,
    },
];

impl Situation {
    /// Plays it.
    pub(crate) fn play(&self, scene: &Scene<'_>) -> Result<Costs, Error> {
        (self.play)(scene)
    }
}

impl Scene<'_> {
    pub(crate) fn bench(&self) -> Result<Bench, Error> {
        Bench::start(self.side, self.module, self.peers)
    }
}

/// The VM starts and the filter is configured.
fn start(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    let sidecar = bench.sidecar();
    let cost = Cost {
        calls: 1,
        fuel: sidecar.fuel(),
        hostcalls: sidecar.hostcalls().total(),
        allocations: sidecar.allocations(),
    };
    Ok(Costs::from([("start".into(), cost)]))
}

/// The second connection of a sidecar, from a peer that it has not seen before. Not the first: a
/// filter may greet that.
fn series_new(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    bench.whole(0, MESSAGES)?;
    bench.cost(|| bench.whole(1, MESSAGES))
}

/// A connection from a peer that has been seen before.
fn series_known(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    bench.whole(0, MESSAGES)?;
    bench.whole(0, MESSAGES)?;
    bench.cost(|| bench.whole(0, MESSAGES))
}

/// A connection whose exchange is over.
fn data(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    let connection = bench.exchange(0)?;
    bench.talk(&connection)?;
    bench.cost(|| (0..STEADY).try_for_each(|_| bench.talk(&connection)))
}

/// Connections that are open and have moved nothing since the last tick: the next one, and the
/// bytes of guest memory that each of them occupies. Memory comes in pages of 64 KiB, and hash
/// tables grow by doubling: both are in it.
pub(crate) fn idle(scene: &Scene<'_>, count: usize) -> Result<(Costs, u64), Error> {
    let bench = scene.bench()?;
    bench.come_and_go(WARM_UP)?;
    let before = bench.sidecar().memory_size();
    let _open = bench.open(count)?;
    let grown = bench.sidecar().memory_size() - before;
    bench.tick();
    Ok((tick(&bench)?, grown.div_ceil(count) as u64))
}

/// Bytes by which guest memory has grown after this many connections have come and gone.
pub(crate) fn growth(scene: &Scene<'_>, connections: usize) -> Result<u64, Error> {
    let bench = scene.bench()?;
    bench.come_and_go(WARM_UP)?;
    let before = bench.sidecar().memory_size();
    bench.come_and_go(connections)?;
    Ok((bench.sidecar().memory_size() - before) as u64)
}

/// Every connection has moved bytes since the last tick.
fn busy_tick(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    let open = bench.open(BUSY)?;
    bench.tick();
    open.iter()
        .try_for_each(|connection| bench.talk(connection))?;
    tick(&bench)
}

fn tick(bench: &Bench) -> Result<Costs, Error> {
    bench.cost(|| {
        bench.tick();
        Ok(())
    })
}

/// The peers that situations need.
pub(crate) fn peers(module: &Module) -> Result<Peers, Error> {
    Peers::of(module, PEERS)
}
