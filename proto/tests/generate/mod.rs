//! Generates `src/generated/`, for the example that writes it and the test that checks it.

use std::error::Error;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The folder of the checked-in code.
pub(crate) fn checked_in() -> PathBuf {
    Path::new(ROOT).join("src/generated")
}

/// Compiles the `.proto` file and writes the Rust code into `folder`.
pub(crate) fn into(folder: impl Into<PathBuf>) -> Result<(), Box<dyn Error>> {
    let sources = Path::new(ROOT).join("src");
    let files = protox::compile(["peer_exchange.proto"], [sources])?;
    prost_build::Config::new()
        .btree_map(["."])
        .out_dir(folder)
        .compile_fds(files)?;
    Ok(())
}
