//! Modules that differ from the filter as it ships in one section, and behave as it does.

use wasmparser::{Parser, Payload};

use crate::error::{Error, Result};

/// Pages of 64 KiB that [`limited`] may have beyond those it starts with.
const MORE: u64 = 3;
/// A custom section without content.
const SECTION: &[u8] = b"\x00\x06\x05other";

/// The same filter; to Envoy it is another module.
#[must_use]
pub fn other(module: &[u8]) -> Vec<u8> {
    [module, SECTION].concat()
}

/// The same filter with a limit to its memory: a large frame makes its VM fail.
///
/// # Errors
/// The module is malformed, or is not built as the filter is.
pub fn limited(module: &[u8]) -> Result<Vec<u8>> {
    let (range, initial) = memory(module)?;
    let mut contents = vec![1, 1];
    contents.extend(leb(initial));
    contents.extend(leb(initial + MORE));
    // The section's id and, as it is that short, one byte for its size stand before it.
    let before = module.get(..range.start - 2).unwrap_or_default();
    let behind = module.get(range.end..).unwrap_or_default();
    let size = contents.len() as u8;
    let limited = [before, &[5, size], &contents, behind].concat();
    match memory(&limited)?.1 == initial {
        true => Ok(limited),
        false => Err(malformed("its memory section is of another form")),
    }
}

/// The place of the memory section's contents, and the number of pages it begins with.
fn memory(module: &[u8]) -> Result<(std::ops::Range<usize>, u64)> {
    for payload in Parser::new(0).parse_all(module) {
        if let Payload::MemorySection(section) = payload.map_err(malformed)? {
            let range = section.range();
            let memory = section.into_iter().next();
            let memory = memory.ok_or_else(|| malformed("it has no memory"))?;
            return Ok((range, memory.map_err(malformed)?.initial));
        }
    }
    Err(malformed("it has no memory section"))
}

fn malformed(reason: impl std::fmt::Display) -> Error {
    Error::malformed("the module", reason)
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
