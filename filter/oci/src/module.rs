//! A compiled filter.

use std::fs;
use std::path::Path;

use crate::digest;
use crate::error::{Context, Error, Result};

/// What a WebAssembly module starts with, and no less than its version after it.
const MAGIC: &[u8] = b"\0asm";
const MIN_SIZE: usize = 8;

/// A WebAssembly module, as far as an agent looks at one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Module {
    bytes: Vec<u8>,
}

impl Module {
    /// Takes the bytes of a module; `what` names them in the error.
    ///
    /// # Errors
    /// [`Error::NotWasm`]: they do not begin like one. An agent refuses such a file with the same check.
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
    /// It cannot be read or is none.
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

    /// The SHA-256 of the module itself, in hexadecimal: what Envoy's `remote` code source and an `http://` URL of a
    /// `WasmPlugin` compare.
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
