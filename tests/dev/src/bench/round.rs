//! The rounds of work, the same for every contestant.

use std::thread;
use std::time::Duration;

use super::Options;
use super::contestant::{Contestant, Modules};
use super::measure::Measure;
use super::statistics::quantile;
use super::traffic;
use crate::soak::{Load, Pair, Setup};
use mesh::error::{Context, Result};
use mesh::{Envoy, EnvoyBinary};

/// The divisor of the work of the warm-up round, which fills compilers, caches and sessions.
const WARM_UP: usize = 4;
/// The wait before memory is measured: Envoy frees the memory that it needed to open connections.
const REST: Duration = Duration::from_secs(3);
const MIB: f64 = 1024.0 * 1024.0;

/// Measures CPU time and latency, with the same Envoys in all rounds.
pub(super) fn work(options: &Options, binary: &EnvoyBinary, load: &Load) -> Result<Vec<Measure>> {
    let modules = Modules::build()?;
    let start = |contestant| start(contestant, &modules, binary, load, options.workers);
    let [none, empty, filter] = Contestant::ALL.map(start);
    let pairs = [none?, empty?, filter?];
    let mut measures = vec![
        Measure::new("CPU per GB, both sidecars", "ms").against_none(1.03),
        Measure::new("CPU per connection, both sidecars", "µs")
            .against_none(1.10)
            .against_empty(1.05),
        Measure::new("CPU per request, both sidecars", "µs"),
        Measure::new("latency of a request, median", "µs"),
        Measure::new("latency of a request, 99 %", "µs"),
    ];
    for pair in &pairs {
        one(options, WARM_UP, pair)?;
    }
    for round in 0..options.rounds {
        let mut figures = [[0.0; 5]; 3];
        let mut order: Vec<_> = pairs.iter().zip(&mut figures).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (pair, figures) in order {
            *figures = one(options, 1, pair)?;
        }
        let [none, empty, filter] = figures;
        let rows = none.iter().zip(empty).zip(filter);
        for (measure, ((none, empty), filter)) in measures.iter_mut().zip(rows) {
            measure.rounds.push([*none, empty, filter]);
        }
        eprintln!("round {} of {}", round + 1, options.rounds);
    }
    Ok(measures)
}

/// Measures resident memory, with new Envoys in every round.
pub(super) fn memory(
    options: &Options,
    binary: &EnvoyBinary,
    load: &Load,
) -> Result<Option<Measure>> {
    let modules = Modules::build()?;
    let name = format!(
        "resident memory of both sidecars, {} connections",
        options.idle
    );
    let mut measure = Measure::new(name, "MiB").against_none(1.10);
    for round in 1..=options.memory_rounds {
        let mut figures = [0.0; 3];
        for (contestant, figure) in Contestant::ALL.into_iter().zip(&mut figures) {
            let [[client, server]] = resident(
                contestant,
                &modules,
                binary,
                load,
                options.workers,
                [options.idle],
            )?;
            *figure = (client + server) as f64 / MIB;
        }
        measure.rounds.push(figures);
        eprintln!("memory, round {round} of {}", options.memory_rounds);
    }
    Ok((!measure.rounds.is_empty()).then_some(measure))
}

/// The resident memory of both sidecars of a new pair with this number of workers, in bytes, with each
/// of these numbers of open connections. The numbers ascend.
pub(crate) fn resident<const N: usize>(
    contestant: Contestant,
    modules: &Modules,
    binary: &EnvoyBinary,
    load: &Load,
    workers: u32,
    numbers: [usize; N],
) -> Result<[[u64; 2]; N]> {
    let pair = start(contestant, modules, binary, load, workers)?;
    let mut held = Vec::new();
    let mut figures = [[0; 2]; N];
    for (number, figure) in numbers.into_iter().zip(&mut figures) {
        let more = number.saturating_sub(held.len());
        held.extend(traffic::hold(pair.address(), more).context(what)?);
        thread::sleep(REST);
        *figure = pair.memory()?.map(|memory| memory.resident);
    }
    Ok(figures)
}

fn start(
    contestant: Contestant,
    modules: &Modules,
    binary: &EnvoyBinary,
    load: &Load,
    workers: u32,
) -> Result<Pair> {
    let (wasm, configuration) = modules.of(contestant);
    Pair::start(
        binary,
        wasm,
        configuration,
        load.application(),
        Setup {
            workers,
            ..Setup::default()
        },
    )
}

/// Does the work of a round, divided by `part`.
fn one(options: &Options, part: usize, pair: &Pair) -> Result<[f64; 5]> {
    let to = pair.address();
    let bytes = options.megabytes * 1_000_000 / part;
    let bulk = cpu(pair, || traffic::bulk(to, bytes).context(what))?.0;
    let count = options.connections / part;
    let connections = cpu(pair, || traffic::connections(to, count).context(what))?.0;
    let requested = options.requests / part;
    let (requests, mut times) = cpu(pair, || traffic::requests(to, requested).context(what))?;
    let micros = |time: Duration, count: usize| time.as_secs_f64() * 1e6 / count as f64;
    Ok([
        // The bytes pass in both directions.
        bulk.as_secs_f64() * 1e3 / (2 * bytes) as f64 * 1e9,
        micros(connections, count),
        micros(requests, requested),
        quantile(&mut times, 0.5),
        quantile(&mut times, 0.99),
    ])
}

/// Measures the CPU time of both sidecars during `work`.
fn cpu<T>(pair: &Pair, work: impl FnOnce() -> Result<T>) -> Result<(Duration, T)> {
    let time = || -> Result<Duration> { pair.both()?.into_iter().map(Envoy::cpu_time).sum() };
    let before = time()?;
    let done = work()?;
    Ok((time()? - before, done))
}

fn what() -> &'static str {
    "a connection through both sidecars"
}
