//! The modules that are measured.

use std::io::Write as _;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use host_harness::{Module, artifact};

use crate::Error;

const PROFILE: &str = "wasm";

/// The filter and the modules that it is compared with.
#[derive(Clone, Debug)]
pub struct Filters {
    /// The shipped filter.
    pub shipped: Module,
    /// The filter with its allocations counted.
    pub counted: Module,
    /// An empty filter with the same SDK.
    pub empty: Module,
    file: PathBuf,
}

impl Filters {
    /// Builds and compiles the modules.
    ///
    /// # Errors
    /// A module does not compile.
    pub fn build() -> Result<Self, Error> {
        let module = |package| -> Result<_, Error> {
            let file = artifact::build(package, PROFILE)?;
            Ok((Module::from_file_cached(&file)?, file))
        };
        let (shipped, file) = module("tcp-peer-stats")?;
        Ok(Self {
            shipped,
            counted: module("counted-filter")?.0,
            empty: module("empty-filter")?.0,
            file,
        })
    }

    /// The size of the artefact in bytes, uncompressed and with gzip's best compression.
    pub(crate) fn sizes(&self) -> Result<(u64, u64), Error> {
        let failed = |source| Error::File {
            path: self.file.clone(),
            source,
        };
        let bytes = std::fs::read(&self.file).map_err(failed)?;
        Ok((bytes.len() as u64, gzip(&bytes)?.len() as u64))
    }
}

/// Compresses with gzip's best compression.
pub(crate) fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Error> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::best());
    let done = gzip.write_all(bytes).and_then(|()| gzip.finish());
    done.map_err(Error::Gzip)
}
