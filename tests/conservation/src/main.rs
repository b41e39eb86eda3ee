//! Plays any number of random cases.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use conservation::play_random;

/// Plays random cases on two proxies with the filter: bytes are conserved, and everything is the
/// reference's.
#[derive(Parser)]
struct Arguments {
    /// The number of cases.
    #[arg(long, default_value_t = 100_000)]
    cases: u32,
    /// The seed of the cases.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

fn main() -> ExitCode {
    let Arguments { cases, seed } = Arguments::parse();
    let begun = Instant::now();
    let result = play_random(cases, seed, |played| {
        if played % 50_000 == 0 {
            eprintln!("{played} cases, {} s", begun.elapsed().as_secs());
        }
    });
    let tally = match result {
        Ok(tally) => tally,
        Err(finding) => {
            eprintln!("{finding}");
            return ExitCode::FAILURE;
        }
    };
    println!(
        "conservation: seed {seed}, {} connections, {} cases, {} faults injected, 0 losses, {} s",
        tally.connections,
        tally.cases,
        tally.faults,
        begun.elapsed().as_secs()
    );
    ExitCode::SUCCESS
}
