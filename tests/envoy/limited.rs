//! The filter as it ships, but with a limit to its memory: an honest way to have its VM die.

use std::fs;
use std::path::{Path, PathBuf};

use mesh::testing::Result;
use mesh::wasm;
use wasmparser::{Parser, Payload};

/// Pages of 64 KiB that it may have beyond those it starts with.
const MORE: u64 = 3;

/// Writes the artefact with a maximum in its memory section; all else is as it was.
pub(crate) fn artefact(dir: &Path) -> Result<PathBuf> {
    let module = fs::read(wasm::build()?)?;
    let (range, initial) = memory(&module)?;
    let mut contents = vec![1, 1];
    contents.extend(leb(initial));
    contents.extend(leb(initial + MORE));
    // The section's id and, as it is that short, one byte for its size stand before it.
    let before = module.get(..range.start - 2).unwrap_or_default();
    let behind = module.get(range.end..).unwrap_or_default();
    let size = u8::try_from(contents.len())?;
    let limited = [before, &[5, size], &contents, behind].concat();
    assert_eq!(memory(&limited)?.1, initial);
    let file = dir.join("limited.wasm");
    fs::write(&file, limited)?;
    Ok(file)
}

/// Where the memory section's contents are, and how many pages it begins with.
fn memory(module: &[u8]) -> Result<(std::ops::Range<usize>, u64)> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::MemorySection(section) = payload? {
            let range = section.range();
            let memory = section.into_iter().next().ok_or("no memory")??;
            return Ok((range, memory.initial));
        }
    }
    Err("no memory section".into())
}

fn leb(mut number: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while number > 0x7f {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
    bytes
}
