use std::process::ExitCode;
use std::time::{Duration, Instant};

use host_harness::{LoadError, Module, Sidecar, StartError, artifact};

use crate::filter::Filter;
use crate::output::outln;

/// Measure the cost of a data callback of a filter: time and fuel.
///
/// One connection, one write per callback, first without a filter, then with it. Fuel is about one
/// per WebAssembly instruction and the same on every machine. Times need a release build of the
/// harness.
#[derive(clap::Args)]
#[command(after_help = "Example:
  harness bench --wasm filter.wasm --callbacks 200000")]
pub(crate) struct Bench {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    load: Load,
}

#[derive(Clone, Copy, clap::Args)]
struct Load {
    /// The number of measured callbacks.
    #[arg(long, default_value_t = 50_000)]
    callbacks: u32,
    /// Bytes per write.
    #[arg(long, default_value_t = 1024)]
    size: usize,
}

/// The reason why the measurement fails.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        if cfg!(debug_assertions) {
            eprintln!("note: this is a debug build");
        }
        let file = self.filter.file()?;
        let load = self.load;
        load.measure("without a filter", &Sidecar::passthrough().start()?);
        let module = Module::from_file_cached(&file)?;
        load.measure(
            &file.display().to_string(),
            &Sidecar::outbound(&module).start()?,
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl Load {
    fn measure(self, name: &str, sidecar: &Sidecar) {
        let connection = sidecar.connect();
        let bytes = vec![0; self.size];
        // Only the first callbacks compute labels, define metrics or exchange frames.
        connection.client.write(&bytes);
        let (start, fuel) = (Instant::now(), sidecar.fuel());
        for _ in 0..self.callbacks {
            connection.client.write(&bytes);
        }
        let (taken, fuel) = (start.elapsed(), sidecar.fuel() - fuel);
        let count = self.callbacks.max(1);
        outln!(
            "{name}: {:.0} callbacks/s, {} ns and {} fuel each",
            f64::from(count) / taken.max(Duration::from_nanos(1)).as_secs_f64(),
            taken.as_nanos() / u128::from(count),
            fuel / u64::from(count),
        );
    }
}
