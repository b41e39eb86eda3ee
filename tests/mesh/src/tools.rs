//! Programs outside the repository: installed on this machine, or fetched into `target/tools/`.

mod go;
mod npm;

use std::env;
use std::path::{Path, PathBuf};

use envoy_process::pip::{self, Requirement};
use envoy_process::programs::installed;

use crate::error::{Error, Result};

/// A PostgreSQL installation: the folder that holds `bin/postgres`, `bin/pgbench` and so on.
///
/// # Errors
/// pip is missing or fails.
pub fn postgresql() -> Result<PathBuf> {
    let dir = pip::install(&Requirement {
        name: "pgserver-0.1.4",
        packages: &["pgserver==0.1.4"],
        platform_independent_of_python: true,
        without_pip: "",
    })?;
    let postgres = installed(&dir, "pgserver/pginstall/bin/postgres", "pgserver")?;
    Ok(postgres.ancestors().nth(2).unwrap_or(&dir).to_owned())
}

/// The newest PostgreSQL that Debian's packages installed, which is not on the PATH.
///
/// # Errors
/// No PostgreSQL is installed there.
pub(crate) fn system_postgresql() -> Result<PathBuf> {
    let versions = Path::new("/usr/lib/postgresql")
        .read_dir()
        .into_iter()
        .flatten();
    let installed = versions.flatten().map(|version| version.path());
    let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
    installed
        .filter(|path| path.join("bin/postgres").is_file())
        .max_by_key(number)
        .ok_or(Error::NotInstalled {
            program: "a PostgreSQL with TLS",
            remedy: "Install it (Debian: `apt install postgresql`) to run what needs it",
        })
}

/// The folder for `PYTHONPATH` that holds the MongoDB driver and the wire-level MongoDB server of
/// its authors.
///
/// # Errors
/// pip is missing or fails.
pub fn mongodb_python() -> Result<PathBuf> {
    pip::install(&Requirement {
        name: "mongodb-python-4.15.5",
        packages: &["mockupdb==1.8.1", "pymongo==4.15.5"],
        platform_independent_of_python: false,
        without_pip: "",
    })
}

/// Returns the folder whose `node_modules` has Grafana's types of a dashboard, and the TypeScript
/// compiler in it.
///
/// # Errors
/// npm is not installed ([`Error::NotInstalled`]) or fails.
pub fn grafana_schema() -> Result<(PathBuf, PathBuf)> {
    let dir = npm::install(
        "grafana-schema-13.2.3",
        &["@grafana/schema@13.2.3", "typescript@5.9.3"],
    )?;
    let compiler = installed(&dir, "node_modules/.bin/tsc", "typescript")?;
    Ok((dir, compiler))
}

/// A folder with Istio's CustomResourceDefinitions as YAML: `ISTIO_CRDS`, or else that of Istio's
/// API module.
///
/// # Errors
/// `ISTIO_CRDS` is not set and Go is not installed ([`Error::NotInstalled`]) or cannot download the
/// module.
pub fn istio_definitions() -> Result<PathBuf> {
    match env::var_os("ISTIO_CRDS").filter(|folder| !folder.is_empty()) {
        Some(folder) => Ok(folder.into()),
        None => Ok(go::files("istio.io/api@v1.32.0")?.join("kubernetes")),
    }
}

/// kustomize from the `PATH`, or else built from its Go module.
///
/// # Errors
/// Neither kustomize nor Go is installed ([`Error::NotInstalled`]), or the build fails.
pub fn kustomize() -> Result<PathBuf> {
    match on_path("kustomize") {
        Some(path) => Ok(path),
        None => go::program(
            "kustomize-5.7.1",
            "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1",
            "kustomize",
        ),
    }
}

/// The folder for `PYTHONPATH` that holds a validator of Kubernetes' built-in kinds.
///
/// # Errors
/// pip is missing or fails.
pub fn kubernetes_validate() -> Result<PathBuf> {
    pip::install(&Requirement {
        name: "kubernetes-validate-1.37.0",
        packages: &[
            "kubernetes-validate==1.37.0",
            "attrs==26.1.0",
            "importlib_resources==7.1.0",
            "jsonschema==4.26.0",
            "jsonschema-specifications==2025.9.1",
            "packaging==26.3",
            "pyyaml==6.0.3",
            "referencing==0.37.0",
            "rpds-py==2026.9.1",
            "typing_extensions==4.16.0",
        ],
        platform_independent_of_python: false,
        without_pip: "",
    })
}

pub use envoy_process::pip::python;
pub use envoy_process::programs::{daemon, on_path, required};
