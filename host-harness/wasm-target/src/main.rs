//! Runs cargo with the given arguments once the target wasm32-unknown-unknown is installed.
//!
//! The aliases in `.cargo/config.toml` that compile a .wasm run this program first. Without the
//! target they add it, or fail with one line, before anything is compiled.

use std::env;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

fn main() -> ExitCode {
    if let Err(missing) = wasm_target::ensure() {
        eprintln!("error: {missing}");
        return ExitCode::FAILURE;
    }
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let error = Command::new(&cargo).args(env::args_os().skip(1)).exec();
    eprintln!("error: cannot run {}: {error}", cargo.display());
    ExitCode::FAILURE
}
