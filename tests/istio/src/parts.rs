//! What a job needs and what is prepared outside of its namespaces, where the network is.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::error::Context;
use mesh::progress::step;
use mesh::tools::mongodb_python;
use mesh::{EnvoyBinary, process, program, wasm, workspace};
use rcgen::KeyPair;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::tools::Tools;

/// The programs and files of a job.
#[derive(Debug, Serialize, Deserialize)]
pub struct Parts {
    /// The programs of the control plane.
    pub tools: Tools,
    /// Envoy.
    pub envoy: PathBuf,
    /// Its version.
    pub envoy_version: String,
    /// The filter.
    pub wasm: PathBuf,
    /// The filter as an image, if the job needs it.
    pub image: Option<Image>,
}

/// An image, and the program that pushes it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Image {
    /// The program of `cargo oci`.
    pub oci: PathBuf,
    /// The layout.
    pub layout: PathBuf,
    /// The public key of its signatures.
    pub key: PathBuf,
}

impl Parts {
    /// Finds the programs, fetches Envoy and builds the filter.
    ///
    /// # Errors
    /// A part is missing and cannot be had.
    pub fn prepare() -> Result<Self> {
        let tools = Tools::find()?;
        let envoy = EnvoyBinary::find(None)?;
        step("Envoy", &format!("{} ({})", envoy.version, envoy.origin));
        step("filter", "building it with `cargo wasm`");
        let wasm = wasm::build()?;
        Ok(Self {
            tools,
            envoy: envoy.path,
            envoy_version: envoy.version,
            wasm,
            image: None,
        })
    }

    /// Fetches the driver of the demo's client, which it later finds by itself.
    ///
    /// # Errors
    /// Python or pip is missing or fails.
    pub fn with_driver(self) -> Result<Self> {
        mongodb_python()?;
        Ok(self)
    }

    /// Adds the image.
    ///
    /// # Errors
    /// It cannot be built.
    pub fn with_image(self) -> Result<Self> {
        step("image", "building it with `cargo oci build`");
        let oci = program::build("oci")?;
        let output = workspace::target().join("runs/istio-image");
        let keys = workspace::target().join("runs/istio-key");
        fs::create_dir_all(&keys).context(|| format!("cannot create {}", keys.display()))?;
        let (private, public) = (keys.join("private.pem"), keys.join("public.pem"));
        key_pair(&private, &public)?;
        // It runs cargo, which must end with it: in a PID namespace of its own, all of them do.
        let mut command = Command::new("unshare");
        command
            .args(["--pid", "--fork", "--kill-child", "--"])
            .arg(&oci)
            .args(["build", "--output"])
            .arg(&output)
            .arg("--key")
            .arg(&private)
            .current_dir(workspace::root());
        process::run("cargo oci build", command)?;
        let image = Image {
            oci,
            layout: output.join("layout"),
            key: public,
        };
        Ok(Self {
            image: Some(image),
            ..self
        })
    }
}

/// Writes a new ECDSA P-256 key and its public key, in PEM.
///
/// # Errors
/// A file cannot be written.
pub fn key_pair(private: &Path, public: &Path) -> Result<()> {
    let pair = KeyPair::generate().map_err(|source| Error::Certificate {
        name: "the image's signature".into(),
        source,
    })?;
    for (path, text) in [
        (private, pair.serialize_pem()),
        (public, pair.public_key_pem()),
    ] {
        fs::write(path, text).context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}
