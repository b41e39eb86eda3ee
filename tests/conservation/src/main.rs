//! Plays as many random cases as one likes.

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use conservation::play_random;

/// Random cases on two proxies with the filter, held against the law of byte conservation and a reference.
#[derive(Parser)]
struct Arguments {
    /// How many cases.
    #[arg(long, default_value_t = 100_000)]
    cases: u32,
    /// What the cases depend on.
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
