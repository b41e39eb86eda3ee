use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use host_harness::{LoadError, Module, Sidecar, StartError};

/// A filter whose data callbacks do nothing: what is left is the model and the boundary.
const EMPTY: &[u8] = br#"(module
    (memory (export "memory") 1)
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))
    (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32) i32.const 0))"#;

/// Measure how many data callbacks per second the harness delivers.
///
/// One connection, one write per callback: through the model alone, through a filter whose callbacks
/// do nothing, and through the given one. Build with --release for numbers that mean something.
#[derive(clap::Args)]
#[command(after_help = "Example:
  cargo run --release -p harness-cli -- bench --wasm filter.wasm --callbacks 200000")]
pub(crate) struct Bench {
    /// The filter, a .wasm file; its plugin configuration is empty.
    #[arg(long)]
    wasm: Option<PathBuf>,
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
}

impl Bench {
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        if cfg!(debug_assertions) {
            eprintln!("note: this is a debug build");
        }
        self.measure("model alone", &Sidecar::passthrough().start()?);
        let empty = Module::from_bytes(EMPTY)?;
        self.measure("empty filter", &Sidecar::outbound(&empty).start()?);
        if let Some(file) = &self.wasm {
            let filter = Module::from_file(file)?;
            self.measure(
                &file.display().to_string(),
                &Sidecar::outbound(&filter).start()?,
            );
        }
        Ok(ExitCode::SUCCESS)
    }

    fn measure(&self, name: &str, sidecar: &Sidecar) {
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
        println!(
            "{name}: {:.0} callbacks/s, {} ns and {} fuel each",
            f64::from(count) / taken.max(Duration::from_nanos(1)).as_secs_f64(),
            taken.as_nanos() / u128::from(count),
            fuel / u64::from(count),
        );
    }
}
