//! The error of the analysis.

use std::path::PathBuf;

use wasmparser::BinaryReaderError;

/// The reason why a module cannot be analysed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PanicsError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The text is not WAT.
    #[error("not a WebAssembly module: {0}")]
    Text(#[from] wat::Error),
    /// The module is truncated or contains an unknown section or instruction.
    #[error("not a WebAssembly module: {0}")]
    Malformed(#[from] BinaryReaderError),
    /// The module has no function names.
    #[error(
        "the module is stripped: it has no function names (section \"name\"). Build it without \
         stripping, otherwise as it ships; in Rust: cargo build --config \
         'profile.NAME.strip=false' --config 'profile.NAME.debug=\"limited\"'"
    )]
    Stripped,
    /// The module uses exceptions; the analysis does not follow their control flow.
    #[error("the module uses WebAssembly exceptions, which this check does not follow")]
    Exceptions,
    /// The DWARF sections of the module cannot be read.
    #[error("the module's debug information cannot be read: {0}")]
    DebugInfo(#[from] addr2line::gimli::Error),
}
