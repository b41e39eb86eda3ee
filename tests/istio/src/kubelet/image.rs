//! The programs that stand for Istio's images.

use std::path::{Path, PathBuf};

use super::spec::Container;
use crate::error::Result;
use crate::tools::Tools;

/// The user of both images.
const USER: u32 = 1337;

/// What a container uses of its image.
#[derive(Debug)]
pub(super) struct Image {
    pub(super) entrypoint: &'static str,
    /// Files of this machine, and their paths in the image.
    pub(super) files: Vec<(PathBuf, PathBuf)>,
    pub(super) user: u32,
}

/// The content of a container's image; `None` if it is not one of Istio's.
pub(super) fn of(container: &Container, tools: &Tools, envoy: &Path) -> Result<Option<Image>> {
    let file = |name: &str, target: &str| -> Result<_> {
        Ok((tools.path(name)?.to_owned(), PathBuf::from(target)))
    };
    Ok(match name(&container.image) {
        "pilot" => {
            let entrypoint = "/usr/local/bin/pilot-discovery";
            Some(Image {
                entrypoint,
                files: vec![file("pilot-discovery", entrypoint)?],
                user: USER,
            })
        }
        "proxyv2" => {
            let entrypoint = "/usr/local/bin/pilot-agent";
            let bootstrap = "/var/lib/istio/envoy/envoy_bootstrap_tmpl.json";
            Some(Image {
                entrypoint,
                files: vec![
                    file("pilot-agent", entrypoint)?,
                    file("envoy_bootstrap.json", bootstrap)?,
                    (envoy.to_owned(), "/usr/local/bin/envoy".into()),
                ],
                user: USER,
            })
        }
        _ => None,
    })
}

/// The name of an image, without registry, tag and digest.
fn name(image: &str) -> &str {
    let last = image.rsplit('/').next().unwrap_or(image);
    last.split([':', '@']).next().unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_an_image_has_no_registry_tag_or_digest() {
        for (image, expected) in [
            ("docker.io/istio/proxyv2:1.30.0", "proxyv2"),
            ("registry.example:5000/istio/pilot@sha256:00", "pilot"),
            ("mongodb", "mongodb"),
        ] {
            assert_eq!(name(image), expected);
        }
    }
}
