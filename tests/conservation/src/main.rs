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
    if let Err(finding) = result {
        eprintln!("{finding}");
        return ExitCode::FAILURE;
    }
    println!(
        "{cases} cases with seed {seed} in {} s: every byte conserved, every count as the reference says",
        begun.elapsed().as_secs()
    );
    ExitCode::SUCCESS
}
