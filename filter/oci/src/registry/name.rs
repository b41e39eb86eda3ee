//! References to images in a registry.

use std::net::IpAddr;

use oci_client::Reference;

use crate::error::{Error, Result};

/// Parses a reference.
///
/// # Errors
/// [`Error::Reference`]: the reference is invalid. The error has the invalid part if it is known.
pub(super) fn parse(reference: &str) -> Result<Reference> {
    let refused = |reason: String| Error::Reference {
        reference: reference.to_owned(),
        reason,
    };
    let is_upper = |part: &str| part.bytes().any(|byte| byte.is_ascii_uppercase());
    let parsed = reference.parse::<Reference>();
    // The parser accepts capital letters where a registry may be, and then finds no registry.
    let repository = match &parsed {
        Ok(parsed) => parsed.repository(),
        Err(_) => name(reference)
            .split_once('/')
            .map_or(reference, |(_, rest)| rest),
    };
    if is_upper(repository) {
        let lower = repository.to_lowercase();
        return Err(refused(format!(
            "{repository} has capital letters, and names of repositories are in lower case, such as {lower}"
        )));
    }
    parsed.map_err(|error| refused(error.to_string()))
}

/// Whether a reference has a tag. The parser sets `latest` if there is none.
pub(super) fn has_tag(reference: &str) -> bool {
    let whole = reference.split('@').next().unwrap_or(reference);
    name(reference).len() < whole.len()
}

/// Whether an argument is a reference to an image: it has a registry, a tag or a digest. Any other
/// argument is a folder, which may not exist.
#[must_use]
pub fn is_reference(argument: &str) -> bool {
    let is_path = ["/", "./", "../", "~"]
        .iter()
        .any(|start| argument.starts_with(start));
    let names_a_registry = name(argument)
        .split_once('/')
        .is_some_and(|(registry, rest)| {
            !rest.is_empty() && (registry == "localhost" || registry.contains(['.', ':']))
        });
    !is_path && (names_a_registry || has_tag(argument) || argument.contains('@'))
}

/// A reference without tag and digest.
fn name(reference: &str) -> &str {
    let name = reference.split('@').next().unwrap_or(reference);
    let last = name.rfind('/').map_or(0, |slash| slash + 1);
    match name.get(last..).and_then(|last| last.find(':')) {
        Some(colon) => name.get(..last + colon).unwrap_or(name),
        None => name,
    }
}

pub(super) fn is_loopback(registry: &str) -> bool {
    let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_is_on_plain_http() {
        for plain in [
            "localhost",
            "localhost:5000",
            "127.0.0.1:5000",
            "[::1]:5000",
        ] {
            assert!(is_loopback(plain), "{plain}");
        }
        for other in [
            "localhost.example.com",
            "10.0.0.1:5000",
            "ghcr.io",
            "[fe80::1]:80",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }

    #[test]
    fn a_port_is_not_a_tag() {
        assert!(!has_tag("localhost:5000/team/name"));
        assert!(has_tag("localhost:5000/team/name:1.0"));
        assert!(!has_tag("localhost:5000/name@sha256:00"));
    }

    #[test]
    fn capitals_are_reported() {
        for (reference, part) in [
            ("NAME/x", "NAME/x"),
            ("NAME/x:1", "NAME/x"),
            ("localhost:5000/UPPER", "UPPER"),
            ("ghcr.io/Me/x:1", "Me/x"),
        ] {
            let refused = parse(reference).unwrap_err().to_string();
            let expected = format!("{reference} is not an image reference: {part} has capital");
            assert!(refused.starts_with(&expected), "{refused}");
            assert!(refused.contains(&part.to_lowercase()), "{refused}");
        }
        // A host and a tag may have some.
        for good in ["Registry.example.com/x", "ghcr.io/me/x:V1"] {
            parse(good).unwrap();
        }
    }

    #[test]
    fn an_argument_that_names_no_registry_and_no_tag_is_a_folder() {
        for image in [
            "localhost/x",
            "localhost:5000/x",
            "ghcr.io/me/x",
            "docker.io/me/x",
            "me/x:1",
            "x:1",
            "x@sha256:00",
        ] {
            assert!(is_reference(image), "{image}");
        }
        for folder in [
            "nonexistent-folder",
            "target/oci/layout",
            "me/x",
            "./x:1",
            "../a.b/c",
            "/tmp/x:1",
            "~/x:1",
            "a.b/",
            "layout.tar",
            "",
        ] {
            assert!(!is_reference(folder), "{folder}");
        }
    }
}
