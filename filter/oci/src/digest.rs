//! Content addresses: `sha256:` and 64 hexadecimal digits.

use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// The SHA-256 of some bytes, in hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The content address of some bytes.
pub(crate) fn of(bytes: &[u8]) -> String {
    format!("sha256:{}", hex(bytes))
}

/// Checks that bytes are what their address says.
pub(crate) fn check(what: &str, bytes: &[u8], expected: &str) -> Result<()> {
    let actual = of(bytes);
    if actual == expected {
        return Ok(());
    }
    Err(Error::Corrupted {
        what: what.to_owned(),
        reason: format!("expected {expected}, got {actual}"),
    })
}
