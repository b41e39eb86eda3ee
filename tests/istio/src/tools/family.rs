//! The families of programs: their modules, flags, and folders in the cache.

use std::env;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

/// The number of hexadecimal digits of the hash in the name of a folder.
const DIGITS: usize = 16;

/// Programs that are built from one `go.mod`.
#[derive(Clone, Copy, Debug)]
pub struct Family {
    /// The name, which is that of its folder in `tests/istio/tools/`.
    pub name: &'static str,
    /// The time of a build with empty caches on two cores, in minutes.
    pub minutes: u32,
    /// Whether a single check needs it, and not the control plane.
    pub(super) is_optional: bool,
    /// The files of the module, by name.
    pub(crate) sources: &'static [(&'static str, &'static str)],
    pub(super) builds: &'static [Build],
    /// A file that is copied: its name, the module that has it, and its path there.
    pub(super) copied: Option<(&'static str, &'static str, &'static str)>,
}

/// One run of `go build`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Build {
    pub(super) tags: &'static str,
    pub(super) ldflags: &'static str,
    /// The names and packages of the programs.
    pub(super) programs: &'static [(&'static str, &'static str)],
}

/// A module with these files in its folder.
macro_rules! sources {
    ($family:literal $(, $file:literal)*) => {
        &[$(($file, include_str!(concat!("../../tools/", $family, "/", $file)))),*]
    };
}

/// All families. The tags and flags are those of the projects' own builds.
pub const FAMILIES: [Family; 6] = [
    Family {
        name: "etcd",
        minutes: 1,
        is_optional: false,
        sources: sources!("etcd", "go.mod", "go.sum"),
        builds: &[Build {
            tags: "",
            ldflags: "-s -w",
            programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
        }],
        copied: None,
    },
    Family {
        name: "mongodb",
        minutes: 2,
        is_optional: false,
        sources: sources!("mongodb", "go.mod", "go.sum", "main.go"),
        builds: &[Build {
            tags: "",
            ldflags: "-s -w",
            programs: &[("mongodb", ".")],
        }],
        copied: None,
    },
    Family {
        name: "istio",
        minutes: 10,
        is_optional: false,
        sources: sources!("istio", "go.mod", "go.sum"),
        builds: &[
            Build {
                tags: "vtprotobuf,disable_pgv",
                ldflags: "-s -w",
                programs: &[
                    (
                        "pilot-discovery",
                        "istio.io/istio/pilot/cmd/pilot-discovery",
                    ),
                    ("istioctl", "istio.io/istio/istioctl/cmd/istioctl"),
                ],
            },
            Build {
                tags: "agent,disable_pgv,grpcnotrace,retrynotrace",
                ldflags: "-s -w",
                programs: &[("pilot-agent", "istio.io/istio/pilot/cmd/pilot-agent")],
            },
        ],
        copied: Some((
            "envoy_bootstrap.json",
            "istio.io/istio",
            "tools/packaging/common/envoy_bootstrap.json",
        )),
    },
    Family {
        name: "kube",
        minutes: 13,
        is_optional: false,
        sources: sources!("kube", "go.mod", "go.sum"),
        builds: &[Build {
            tags: "",
            // Without a version the API server calls itself v0.0.0.
            ldflags: "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=37",
            programs: &[
                ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver"),
                (
                    "kube-controller-manager",
                    "k8s.io/kubernetes/cmd/kube-controller-manager",
                ),
                ("kubectl", "k8s.io/kubernetes/cmd/kubectl"),
            ],
        }],
        copied: None,
    },
    Family {
        name: "envoy-gateway",
        minutes: 6,
        is_optional: true,
        sources: sources!("envoy-gateway", "go.mod", "go.sum"),
        builds: &[Build {
            tags: "",
            ldflags: "-s -w",
            programs: &[(
                "envoy-gateway",
                "github.com/envoyproxy/gateway/cmd/envoy-gateway",
            )],
        }],
        copied: None,
    },
    Family {
        name: "cosign",
        minutes: 5,
        is_optional: true,
        sources: sources!("cosign", "go.mod", "go.sum"),
        builds: &[Build {
            tags: "",
            ldflags: "-s -w",
            programs: &[("cosign", "github.com/sigstore/cosign/v2/cmd/cosign")],
        }],
        copied: None,
    },
];

/// The folder of all families: `$XDG_CACHE_HOME/tcp-peer-stats/istio-tools`; the default of the
/// variable is `~/.cache`.
pub(super) fn cache() -> PathBuf {
    let cache = env::var_os("XDG_CACHE_HOME").filter(|folder| !folder.is_empty());
    let cache = match (cache, env::home_dir()) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => home.join(".cache"),
        (None, None) => env::temp_dir(),
    };
    cache.join("tcp-peer-stats/istio-tools")
}

impl Family {
    /// The names of its programs and files.
    pub fn files(&self) -> impl Iterator<Item = &'static str> {
        let programs = self.builds.iter().flat_map(|build| build.programs);
        let copied = self.copied.iter().map(|(name, ..)| *name);
        programs.map(|(name, _)| *name).chain(copied)
    }

    /// Its folder, which exists if the programs are built.
    #[must_use]
    pub fn folder(&self) -> PathBuf {
        cache().join(self.name_in_cache())
    }

    /// The name of its folder, `<name>-<hash>`.
    pub(super) fn name_in_cache(&self) -> String {
        format!("{}-{}", self.name, self.hash())
    }

    /// A hash of everything that decides what is built.
    fn hash(&self) -> String {
        let mut hash = Sha256::new();
        let mut add = |part: &str| {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        };
        for (name, content) in self.sources {
            add(name);
            add(content);
        }
        for build in self.builds {
            add(build.tags);
            add(build.ldflags);
            for (name, package) in build.programs {
                add(name);
                add(package);
            }
        }
        if let Some((name, module, path)) = self.copied {
            add(name);
            add(module);
            add(path);
        }
        let mut digits = hex::encode(hash.finalize());
        digits.truncate(DIGITS);
        digits
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_two_families_have_a_file_in_common() {
        let names: Vec<_> = FAMILIES.iter().flat_map(Family::files).collect();
        let different: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(names.len(), different.len(), "{names:?}");
        assert!(different.contains("pilot-agent") && different.contains("envoy_bootstrap.json"));
    }

    #[test]
    fn another_flag_or_another_version_is_another_folder() {
        let [etcd, ..] = FAMILIES;
        let flags = Family {
            builds: &[Build {
                tags: "",
                ldflags: "-s",
                programs: &[("etcd", "go.etcd.io/etcd/server/v3")],
            }],
            ..etcd
        };
        let version = Family {
            sources: &[("go.mod", "module tools/etcd")],
            ..etcd
        };
        let folders = BTreeSet::from([etcd.folder(), flags.folder(), version.folder()]);
        assert_eq!(folders.len(), 3);
        assert_eq!(etcd.folder(), etcd.folder());
    }
}
