use std::process::ExitCode;

use crate::output::outln;
use budget::Filters;
use budget::growth::{self, AtConnections, AtSeries};

/// Measure how costs grow with open connections and with series.
///
/// Tables in Markdown of one inbound sidecar with one worker, in the emulator. Nothing in them depends on the machine, but that
/// a million connections take some gigabytes of it.
#[derive(clap::Args)]
#[command(after_help = "Example:
  cargo run --release -p harness-cli -- growth --connections 1000000")]
pub(crate) struct Growth {
    /// The most connections; steps are powers of ten.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// The most series; steps are powers of ten.
    #[arg(long, default_value_t = 1_000)]
    series: usize,
}

impl Growth {
    pub(crate) fn run(self) -> Result<ExitCode, budget::Error> {
        let filter = Filters::build()?.shipped;
        outln!(
            "| Open connections | fuel to open and exchange | guest memory, MiB | bytes each | idle tick: fuel | host calls |"
        );
        outln!("| --- | --- | --- | --- | --- | --- |");
        growth::by_connections(&filter, self.connections, |at| {
            let AtConnections {
                open,
                fuel,
                memory,
                memory_each,
                idle_tick,
            } = at;
            let mib = memory as f64 / 1024.0 / 1024.0;
            outln!(
                "| {open} | {fuel} | {mib:.1} | {memory_each} | {} | {} |",
                idle_tick.fuel,
                idle_tick.hostcalls
            );
        })?;
        outln!(
            "\n| Series | bytes each | idle tick: fuel | host calls | tick after all moved bytes: fuel | host calls | scrape, bytes | gzipped |"
        );
        outln!("| --- | --- | --- | --- | --- | --- | --- | --- |");
        growth::by_series(&filter, self.series, |at| {
            let AtSeries {
                series,
                memory_each,
                idle_tick,
                busy_tick,
                scrape: (scrape, gzipped),
            } = at;
            outln!(
                "| {series} | {memory_each} | {} | {} | {} | {} | {scrape} | {gzipped} |",
                idle_tick.fuel,
                idle_tick.hostcalls,
                busy_tick.fuel,
                busy_tick.hostcalls
            );
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
