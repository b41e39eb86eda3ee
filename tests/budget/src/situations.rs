//! Typical situations, each on a separate sidecar.

use host_harness::Module;
use host_harness::scenario::Side;

use crate::Error;
use crate::cost::{Cost, Costs};
use crate::sidecar::{Bench, Peers};

/// The number of messages in each direction after the first two in a whole connection: ten data
/// callbacks.
const MESSAGES: usize = 5;
/// The number of messages in each direction in the steady state.
const STEADY: usize = 10;
/// The number of different peers if many connections are open.
const PEERS: usize = 20;
/// The number of peers that a busy server has.
const MANY_PEERS: usize = 1_000;
/// A small number of open connections.
const FEW: usize = 1_000;
/// The number of connections that open and close before memory is measured. The allocator then has
/// the memory for one connection.
const WARM_UP: usize = 1_000;
/// The number of connections that move bytes between two ticks.
const BUSY: usize = 10_000;

/// A situation: its name in the budget, and the function that plays it.
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

/// The situations of the filter.
pub(crate) const SITUATIONS: [Situation; 8] = [
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
        name: "1 000 connections of as many peers, series known",
        play: many_peers,
    },
    Situation {
        name: "connection without TLS, series known",
        play: plaintext,
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

/// The situations of the empty filter.
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
    /// Plays the situation and returns its costs.
    pub(crate) fn play(&self, scene: &Scene<'_>) -> Result<Costs, Error> {
        (self.play)(scene)
    }
}

impl Scene<'_> {
    pub(crate) fn bench(&self) -> Result<Bench, Error> {
        Bench::start(self.side, self.module, self.peers)
    }
}

/// The start of the VM and the configuration of the filter.
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

/// The second connection of a sidecar, from a new peer. Not the first connection: its costs can
/// include work that is done once.
fn series_new(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    bench.whole(0, MESSAGES)?;
    bench.cost(|| bench.whole(1, MESSAGES))
}

/// A connection from a peer with existing series.
fn series_known(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    bench.whole(0, MESSAGES)?;
    bench.whole(0, MESSAGES)?;
    bench.cost(|| bench.whole(0, MESSAGES))
}

/// A connection of each of many peers, in turn, with existing series.
fn many_peers(scene: &Scene<'_>) -> Result<Costs, Error> {
    let peers = Peers::of(scene.module, MANY_PEERS)?;
    let bench = Bench::start(scene.side, scene.module, &peers)?;
    bench.come_and_go(MANY_PEERS)?;
    bench.cost(|| bench.come_and_go(MANY_PEERS))
}

/// A connection without TLS, with existing series.
fn plaintext(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = Bench::start_plaintext(scene.side, scene.module)?;
    bench.whole(0, MESSAGES)?;
    bench.whole(0, MESSAGES)?;
    bench.cost(|| bench.whole(0, MESSAGES))
}

/// Data callbacks of a connection after its exchange.
fn data(scene: &Scene<'_>) -> Result<Costs, Error> {
    let bench = scene.bench()?;
    let connection = bench.exchange(0)?;
    bench.talk(&connection)?;
    bench.cost(|| (0..STEADY).try_for_each(|_| bench.talk(&connection)))
}

/// A tick with open connections that have moved no bytes since the last tick. Returns the costs of
/// the tick and the guest memory per connection, in bytes. The memory includes the unused parts of
/// pages of 64 KiB and of hash tables, which grow by doubling.
pub(crate) fn idle(scene: &Scene<'_>, count: usize) -> Result<(Costs, u64), Error> {
    let bench = scene.bench()?;
    bench.come_and_go(WARM_UP)?;
    let before = bench.sidecar().memory_size();
    let _open = bench.open(count)?;
    let grown = bench.sidecar().memory_size() - before;
    bench.tick();
    Ok((tick(&bench)?, grown.div_ceil(count) as u64))
}

/// The growth of guest memory after this number of connections opened and closed, in bytes.
pub(crate) fn growth(scene: &Scene<'_>, connections: usize) -> Result<u64, Error> {
    let bench = scene.bench()?;
    bench.come_and_go(WARM_UP)?;
    let before = bench.sidecar().memory_size();
    bench.come_and_go(connections)?;
    Ok((bench.sidecar().memory_size() - before) as u64)
}

/// A tick after every connection moved bytes.
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
