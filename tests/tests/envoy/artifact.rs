//! The .wasm itself.

use std::fs;

use testbed::wasm;

use crate::fixture::Result;

/// What a user pulls and every sidecar loads.
const MAX_SIZE: u64 = 300 * 1024;

#[test]
fn it_is_small() -> Result {
    let size = fs::metadata(wasm::build()?)?.len();
    assert!(size < MAX_SIZE, "{size} bytes");
    Ok(())
}
