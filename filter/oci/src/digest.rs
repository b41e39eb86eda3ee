//! Content addresses: `sha256:` and 64 hexadecimal digits.

use oci_spec::image::{Descriptor, Sha256Digest};
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

/// Parses a content address. Its digits are safe as a file name.
///
/// # Errors
/// [`Error::Digest`]: it is not a SHA-256 digest.
pub(crate) fn parse(digest: &str) -> Result<Sha256Digest> {
    let digits = digest.strip_prefix("sha256:");
    digits
        .and_then(|digits| digits.parse().ok())
        .ok_or_else(|| Error::Digest {
            digest: digest.to_owned(),
        })
}

/// Checks bytes against their content address.
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

/// Checks a size against its descriptor, as an agent does before it reads a blob.
pub(crate) fn check_size(what: &str, size: u64, descriptor: &Descriptor) -> Result<()> {
    if descriptor.size() == size {
        return Ok(());
    }
    Err(Error::Corrupted {
        what: what.to_owned(),
        reason: format!("expected {} bytes, got {size}", descriptor.size()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sha_256_digest_names_a_file() {
        let good = "0123456789abcdef".repeat(4);
        let parsed = parse(&format!("sha256:{good}")).unwrap();
        assert_eq!(parsed.digest(), good);
        for bad in [
            good.clone(),
            format!("sha512:{good}{good}"),
            format!("sha256:{good}0"),
            format!("sha256:{}", good.to_uppercase()),
            format!("sha256:../{}", &good[3..]),
            "sha256:".into(),
        ] {
            let refused = parse(&bad);
            assert!(matches!(refused, Err(Error::Digest { digest }) if digest == bad));
        }
    }
}
