//! The .wasm itself.

use std::fs;

use mesh::testing::Result;
use mesh::wasm;
use wasmparser::{Parser, Payload};

/// What a user pulls and every sidecar loads.
const MAX_SIZE: u64 = 360 * 1024;

#[test]
fn it_is_small() -> Result {
    let size = fs::metadata(wasm::build()?)?.len();
    assert!(size < MAX_SIZE, "{size} bytes");
    Ok(())
}

// Shows: filter/docs/compatibility.md, "`env.proxy_*`, no WASI"
#[test]
fn it_imports_nothing_but_hostcalls() -> Result {
    let module = fs::read(wasm::build()?)?;
    let mut imports = Vec::new();
    for payload in Parser::new(0).parse_all(&module) {
        if let Payload::ImportSection(section) = payload? {
            for import in section.into_imports() {
                let import = import?;
                imports.push(format!("{}.{}", import.module, import.name));
            }
        }
    }
    assert!(!imports.is_empty());
    assert!(
        imports
            .iter()
            .all(|import| import.starts_with("env.proxy_")),
        "{imports:?}"
    );
    Ok(())
}
