use std::path::PathBuf;
use std::process::ExitCode;
use std::{fs, io};

use crate::output::outln;
use peer_exchange::vectors::{FormatError, judge};

/// Judge a file of istio-peer-exchange wire vectors with our codec.
///
/// Prints each vector that comes out otherwise than the file says. Exits with 0 when all pass, 1
/// when some fail and 2 when the file cannot be judged.
#[derive(clap::Args)]
pub(crate) struct Vectors {
    /// The file, in the format of proto/vectors/peer-exchange.json.
    file: PathBuf,
}

/// Why a file of vectors cannot be judged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot read {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error("{}: {source}", file.display())]
    Format { file: PathBuf, source: FormatError },
}

impl Vectors {
    /// Prints the failures and how many there were.
    pub(crate) fn run(self) -> Result<ExitCode, Error> {
        let Self { file } = self;
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(source) => return Err(Error::Read { file, source }),
        };
        let report = judge(&text).map_err(|source| Error::Format { file, source })?;

        for failure in &report.failures {
            outln!("{failure}");
        }
        outln!("{} passed, {} failed", report.passed, report.failures.len());
        Ok(match report.failures.is_empty() {
            true => ExitCode::SUCCESS,
            false => ExitCode::FAILURE,
        })
    }
}
