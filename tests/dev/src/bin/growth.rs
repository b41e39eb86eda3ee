//! `cargo growth`: the cost of the filter with growing numbers of connections and series.

use std::process::ExitCode;

use budget::Filters;
use budget::growth::{self, AtConnections, AtSeries};
use clap::Parser;

/// Measure how costs grow with open connections and with series.
///
/// Tables in Markdown of one inbound sidecar with one worker, in the emulator. The values do not
/// depend on the machine. A million connections need some gigabytes of memory.
#[derive(Parser)]
#[command(after_help = "Example:
  cargo growth -- --connections 1000000")]
struct Options {
    /// Highest number of connections; steps are powers of ten.
    #[arg(long, default_value_t = 10_000)]
    connections: usize,
    /// Highest number of series; steps are powers of ten.
    #[arg(long, default_value_t = 1_000)]
    series: usize,
}

impl Options {
    fn run(self) -> Result<ExitCode, budget::Error> {
        let filter = Filters::build()?.shipped;
        println!(
            "| Open connections | fuel to open and exchange | guest memory, MiB | bytes each | idle tick: fuel | host calls |"
        );
        println!("| --- | --- | --- | --- | --- | --- |");
        growth::by_connections(&filter, self.connections, |at| {
            let AtConnections {
                open,
                fuel,
                memory,
                memory_each,
                idle_tick,
            } = at;
            let mib = memory as f64 / 1024.0 / 1024.0;
            println!(
                "| {open} | {fuel} | {mib:.1} | {memory_each} | {} | {} |",
                idle_tick.fuel, idle_tick.hostcalls
            );
        })?;
        println!(
            "\n| Series | fuel to open and exchange | bytes each | idle tick: fuel | host calls | tick after all moved bytes: fuel | host calls | scrape, bytes | gzipped |"
        );
        println!("| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
        growth::by_series(&filter, self.series, |at| {
            let AtSeries {
                series,
                fuel,
                memory_each,
                idle_tick,
                busy_tick,
                scrape: (scrape, gzipped),
            } = at;
            println!(
                "| {series} | {fuel} | {memory_each} | {} | {} | {} | {} | {scrape} | {gzipped} |",
                idle_tick.fuel, idle_tick.hostcalls, busy_tick.fuel, busy_tick.hostcalls
            );
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn main() -> ExitCode {
    Options::parse().run().unwrap_or_else(|error| {
        eprintln!("error: {error}");
        ExitCode::from(2)
    })
}
