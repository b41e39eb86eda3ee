//! Fails if the WebAssembly target is not installed: the tests compile filters for it when they
//! run.

use std::process::ExitCode;

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed=build.rs");
    match wasm_target::ensure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(missing) => {
            println!("cargo::error={missing}");
            ExitCode::FAILURE
        }
    }
}
