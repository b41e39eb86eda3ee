use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use host_harness::scenario::{
    Act, Bytes, Connect, Emulated, End, Scenario, ScenarioError, Stage, StageError,
};
use host_harness::{Event, FilterFailure, LoadError, Module, StartError, artifact};

use crate::filter::Filter;
use crate::output::outln;

/// Measure the cost of the callbacks of a filter: time, fuel and host calls.
///
/// One connection on which each application writes in turn, first without the filter, then with it.
/// Fuel is about one per WebAssembly instruction and the same on every machine. Times need a release
/// build of the harness.
///
/// The filter's configuration, the node and its metadata, the version of Envoy, TLS and the number
/// of sidecars are those of a scenario, whose steps are not played. Without one, a client's sidecar has
/// the filter without a configuration.
///
/// Exits with 0 if it was measured, 1 if the filter failed, and 2 if it cannot be measured.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  harness bench --wasm filter.wasm
  harness bench --wasm filter.wasm --callbacks 200000 scenario.yaml")]
pub(crate) struct Bench {
    /// The scenario with the configuration, a YAML file.
    scenario: Option<PathBuf>,
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    load: Load,
}

#[derive(Clone, Copy, clap::Args)]
struct Load {
    /// The number of measured writes of each application.
    #[arg(long, default_value_t = 50_000)]
    callbacks: u32,
    /// Bytes per write.
    #[arg(long, default_value_t = 1024)]
    size: usize,
}

/// The configuration without a scenario.
const PLAIN: &str = "{ name: bench, outbound: {}, steps: [] }";

/// The reason why the measurement fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Stage(#[from] StageError),
}

/// The sums over the calls of one callback of one sidecar.
#[derive(Default)]
struct Cost {
    calls: u64,
    fuel: u64,
    hostcalls: u64,
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        if cfg!(debug_assertions) {
            eprintln!("note: this is a debug build");
        }
        let scenario = match &self.scenario {
            Some(file) => Scenario::read(file)?,
            None => Scenario::parse(PLAIN)?,
        };
        let file = self.filter.file()?;
        let module = Module::from_file_cached(&file)?;
        let mut without = scenario.clone();
        let sidecars = [&mut without.outbound, &mut without.inbound];
        for sidecar in sidecars.into_iter().flatten() {
            sidecar.filter = false;
        }
        self.load.measure("without the filter", &without, &module)?;
        let name = file.display().to_string();
        let failure = match self.load.measure(&name, &scenario, &module) {
            Ok(failure) => failure.map(|failure| failure.to_string()),
            Err(Error::Start(error)) if error.is_of_filter() => Some(error.to_string()),
            Err(error) => return Err(error),
        };
        Ok(match failure {
            None => ExitCode::SUCCESS,
            Some(failure) => {
                outln!("FAILED: {failure}");
                ExitCode::FAILURE
            }
        })
    }
}

impl Load {
    /// Measures the time, then the costs of some more callbacks. Returns the failure of the filter.
    fn measure(
        self,
        name: &str,
        scenario: &Scenario,
        module: &Module,
    ) -> Result<Option<FilterFailure>, Error> {
        let act = Act::writing(Bytes::Text("x".repeat(self.size)));
        let mut stage = Emulated::start(scenario, module)?;
        stage.connect(&Connect::default())?;
        // Only the first callbacks compute labels, define metrics or exchange frames.
        write(&mut stage, &act)?;
        let start = Instant::now();
        for _ in 0..self.callbacks {
            write(&mut stage, &act)?;
        }
        let taken = start.elapsed();
        let count = u64::from(self.callbacks.max(1)) * 2;
        outln!(
            "{name}: {:.0} writes/s, {} ns each",
            count as f64 / taken.max(Duration::from_nanos(1)).as_secs_f64(),
            taken.as_nanos() / u128::from(count),
        );
        for (_, sidecar) in stage.sidecars() {
            sidecar.record_trace();
        }
        for _ in 0..COUNTED {
            write(&mut stage, &act)?;
        }
        print_costs(&costs(&stage));
        let mut failures = stage.failures()?.into_iter();
        Ok(failures.next().map(|(_, failure)| failure))
    }
}

/// Each application writes once.
fn write(stage: &mut Emulated, act: &Act) -> Result<(), StageError> {
    stage.perform(End::Client, act)?;
    stage.perform(End::Server, act)
}

/// The number of writes of each application whose callbacks are counted.
const COUNTED: u32 = 100;

/// The costs by sidecar and callback.
fn costs(stage: &Emulated) -> BTreeMap<(String, &'static str), Cost> {
    let mut costs: BTreeMap<_, Cost> = BTreeMap::new();
    for (side, sidecar) in stage.sidecars() {
        let mut made = 0;
        for event in sidecar.take_trace() {
            match event {
                // In the trace, a host call precedes the callback that makes it.
                Event::Hostcall { .. } => made += 1,
                Event::Callback { name, fuel, .. } => {
                    let cost = costs.entry((side.to_string(), name)).or_default();
                    cost.calls += 1;
                    cost.fuel += fuel;
                    cost.hostcalls += std::mem::take(&mut made);
                }
            }
        }
    }
    costs
}

fn print_costs(costs: &BTreeMap<(String, &'static str), Cost>) {
    for ((side, name), cost) in costs {
        let calls = cost.calls.max(1);
        outln!(
            "  {side} {name}: {} fuel and {:.2} host calls each",
            cost.fuel / calls,
            cost.hostcalls as f64 / calls as f64,
        );
    }
}
