//! A compiled filter.

use std::fs;
use std::path::Path;

use crate::digest;
use crate::error::{Context, Error, Result};

/// The magic number of a WebAssembly module. The version follows it.
const MAGIC: &[u8] = b"\0asm";
const MIN_SIZE: usize = 8;

/// A WebAssembly module. Only its start is checked, as in an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    bytes: Vec<u8>,
}

impl Module {
    /// Checks the bytes of a module; `what` is their source in the error.
    ///
    /// # Errors
    /// [`Error::NotWasm`]: the magic number or the version is missing. An agent has the same check.
    pub fn new(what: &str, bytes: Vec<u8>) -> Result<Self> {
        if bytes.starts_with(MAGIC) && bytes.len() >= MIN_SIZE {
            return Ok(Self { bytes });
        }
        Err(Error::NotWasm {
            what: what.to_owned(),
            size: bytes.len(),
        })
    }

    /// Reads a .wasm file.
    ///
    /// # Errors
    /// The file cannot be read or is not a WebAssembly module.
    pub fn read(path: &Path) -> Result<Self> {
        let name = path.display().to_string();
        let bytes = fs::read(path).context(|| format!("cannot read {name}"))?;
        Self::new(&name, bytes)
    }

    /// The module.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The SHA-256 of the module itself, in hexadecimal. `sha256` of Envoy's `remote` code source and
    /// of a `WasmPlugin` with an `http://` URL is compared with it.
    #[must_use]
    pub fn sha256(&self) -> String {
        digest::hex(&self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_begin_like_a_module_is_refused() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0", b"\x7fELF\x01\0\0\0"] {
            let refused = Module::new("it", bytes.to_vec());
            assert!(matches!(refused, Err(Error::NotWasm { size, .. }) if size == bytes.len()));
        }
        assert!(Module::new("it", b"\0asm\x01\0\0\0".to_vec()).is_ok());
    }
}
