//! The programs of the control plane, built from Go modules of exact versions.
//!
//! Each family of programs has a `go.mod` and a `go.sum` in `tests/istio/tools/`. Its programs are
//! in a cache outside of the repository, in a folder whose name is a hash of these files and of the
//! flags of the build. So they are built once per machine.

mod build;
mod family;

use std::collections::BTreeMap;
use std::env;
use std::path::{Path, PathBuf};

use mesh::progress;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

pub use self::family::{FAMILIES, Family};

/// The variable with a folder of programs to use instead of the cache.
pub const VARIABLE: &str = "ISTIO_TOOLS";

/// The programs of all families.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Tools {
    files: BTreeMap<String, PathBuf>,
}

impl Tools {
    /// Finds the programs, in the folder of `ISTIO_TOOLS` or in the cache. Builds nothing.
    ///
    /// # Errors
    /// A program of the control plane is missing ([`Error::is_unmet`] if it is not built).
    pub fn find() -> Result<Self> {
        let folder = env::var_os(VARIABLE).filter(|folder| !folder.is_empty());
        let mut files = BTreeMap::new();
        for family in FAMILIES {
            let (at, is_given) = match &folder {
                Some(folder) => (PathBuf::from(folder), true),
                None if family.is_optional => (family.folder(), false),
                None => (built(family)?, false),
            };
            if family.is_optional && !family.files().all(|name| at.join(name).is_file()) {
                continue;
            }
            for name in family.files() {
                files.insert(name.to_owned(), existing(&at, name, is_given)?);
            }
        }
        Ok(Self { files })
    }

    /// The path of a program or a file.
    ///
    /// # Errors
    /// No family has it, or its family is not built ([`Error::is_unmet`]).
    pub fn path(&self, name: &str) -> Result<&Path> {
        if let Some(path) = self.files.get(name) {
            return Ok(path);
        }
        let mut families = FAMILIES.into_iter();
        let family = families.find(|family| family.files().any(|own| own == name));
        Err(match family {
            Some(Family { name: family, .. }) => Error::Unmet {
                what: format!("{name} is not built"),
                remedy: format!("Build it once with `cargo istio tools {family}`"),
            },
            None => Error::object(name, "no family of programs has it"),
        })
    }
}

/// Builds the families with these names, or all, as far as they are not built. Says before what it
/// costs. With a limit of minutes, builds nothing if the estimate is above it.
///
/// # Errors
/// There is no such family, Go is missing, the time is too short ([`Error::is_unmet`]), or a build
/// fails.
pub fn build(names: &[String], within: Option<u32>) -> Result<()> {
    let known = FAMILIES.iter().map(|family| family.name);
    Error::unknown("family of programs", names, known)?;
    let wanted = FAMILIES
        .into_iter()
        .filter(|family| names.is_empty() || names.iter().any(|name| name == family.name));
    let (ready, missing): (Vec<_>, Vec<_>) = wanted.partition(|family| family.folder().is_dir());
    for family in ready {
        progress::step(
            family.name,
            &format!("ready: {}", family.folder().display()),
        );
    }
    if missing.is_empty() {
        return Ok(());
    }
    let go = build::go()?;
    let minutes: u32 = missing.iter().map(|family| family.minutes).sum();
    let list: Vec<_> = missing.iter().map(|family| family.name).collect();
    let list = list.join(", ");
    if let Some(limit) = within.filter(|limit| minutes > *limit) {
        return Err(Error::Unmet {
            what: format!("{list}: to build them takes about {minutes} minutes, not {limit}"),
            remedy: "Build them once with `cargo istio tools`".into(),
        });
    }
    progress::say(&format!(
        "builds {list} from Go modules: about {minutes} minutes on two cores and up to 12 GB in Go's caches, if these are empty"
    ));
    for family in missing {
        let folder = build::build(&go, family)?;
        progress::step(family.name, &format!("built: {}", folder.display()));
    }
    Ok(())
}

fn built(family: Family) -> Result<PathBuf> {
    let folder = family.folder();
    if folder.is_dir() {
        return Ok(folder);
    }
    Err(Error::Unmet {
        what: format!(
            "the programs of Istio's control plane are not built ({})",
            family.name
        ),
        remedy: format!(
            "Build them once with `cargo istio tools` (Go, about 25 minutes on two cores), or set {VARIABLE} to a folder that has them"
        ),
    })
}

/// The path of a program in the folder of the variable or in the cache.
fn existing(folder: &Path, name: &str, is_given: bool) -> Result<PathBuf> {
    let path = folder.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let (folder, program) = (folder.to_owned(), name.to_owned());
    Err(if is_given {
        Error::IncompleteTools {
            variable: VARIABLE,
            folder,
            program,
        }
    } else {
        Error::IncompleteCache { folder, program }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_of_one_check_is_missed_when_that_check_asks_for_it() {
        let none = Tools {
            files: BTreeMap::new(),
        };
        let unmet = none.path("cosign").unwrap_err();
        assert!(unmet.is_unmet(), "{unmet}");
        let remedy = "cosign is not built. Build it once with `cargo istio tools cosign`";
        assert_eq!(unmet.to_string(), remedy);
        assert!(!none.path("no-such-program").unwrap_err().is_unmet());
    }

    #[test]
    fn the_remedy_fits_the_folder_that_lacks_a_program() {
        let folder = Path::new("/no-such-folder");
        let message = |is_given| existing(folder, "etcd", is_given).unwrap_err().to_string();
        assert!(
            message(true).contains("or unset ISTIO_TOOLS"),
            "{}",
            message(true)
        );
        let cache = "/no-such-folder has no etcd. Remove the folder and run `cargo istio tools`";
        assert_eq!(message(false), cache);
    }
}
