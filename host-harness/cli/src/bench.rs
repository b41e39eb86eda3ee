use std::process::ExitCode;
use std::time::{Duration, Instant};

use host_harness::{LoadError, Module, Sidecar, StartError, artifact, native, native_filter};
use tcp_peer_stats as _;

use crate::filter::Filter;
use crate::output::outln;

/// Measure how many data callbacks per second the harness delivers.
///
/// One connection, one write per callback: through the model alone, and on both back ends through a
/// filter whose callbacks do nothing and through a real one. Build with --release for numbers that mean something.
#[derive(clap::Args)]
#[command(after_help = "Example:
  cargo run --release -p harness-cli -- bench --wasm filter.wasm --callbacks 200000")]
pub(crate) struct Bench {
    #[command(flatten)]
    filter: Filter,
    #[command(flatten)]
    load: Load,
}

#[derive(Clone, Copy, clap::Args)]
struct Load {
    /// How many callbacks are measured.
    #[arg(long, default_value_t = 50_000)]
    callbacks: u32,
    /// Bytes per write.
    #[arg(long, default_value_t = 1024)]
    size: usize,
}

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Build(#[from] artifact::BuildError),
    #[error(transparent)]
    Native(#[from] native::NativeFailure),
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        if cfg!(debug_assertions) {
            eprintln!("note: this is a debug build");
        }
        let load = self.load;
        load.measure("model alone", &Sidecar::passthrough().start()?);
        let empty = artifact::build("empty-filter", "wasm")?;
        load.measure(
            "wasm, empty filter",
            &Sidecar::outbound(&Module::from_file(empty)?).start()?,
        );
        let file = self.filter.file()?;
        let name = format!("wasm, {}", file.display());
        load.measure(
            &name,
            &Sidecar::outbound(&Module::from_file(file)?).start()?,
        );
        native::run(move || load.measure_native("native, empty filter", &native::empty()))??;
        native::run(move || load.measure_native("native, tcp-peer-stats", &native_filter!()))??;
        Ok(ExitCode::SUCCESS)
    }
}

impl Load {
    fn measure_native(self, name: &str, module: &Module) -> Result<(), StartError> {
        self.measure(name, &Sidecar::outbound(module).start()?);
        Ok(())
    }

    fn measure(self, name: &str, sidecar: &Sidecar) {
        let connection = sidecar.connect();
        let bytes = vec![0; self.size];
        // The first callbacks may do what the others do not: labels, metrics, an exchange.
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
