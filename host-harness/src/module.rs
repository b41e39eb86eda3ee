//! A compiled filter.

mod cache;
mod exports;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use wasmtime::{Config, Engine};

pub use exports::Exports;

use crate::abi::AbiVersion;
use crate::failure::FilterFailure;

/// A .wasm filter. A process compiles each module once. Cloning is cheap.
///
/// ```
/// let module = host_harness::Module::from_bytes(br#"(module
///     (memory (export "memory") 1)
///     (func (export "malloc") (param i32) (result i32) i32.const 1024)
///     (func (export "proxy_abi_version_0_2_1")))"#)?;
/// assert_eq!(module.abi_version().to_string(), "0.2.1");
/// # Ok::<_, host_harness::LoadError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Module(pub(crate) Code);

#[derive(Debug, Clone)]
pub(crate) enum Code {
    Wasm(Arc<Compiled>),
    Native(Exports),
}

#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) module: wasmtime::Module,
    pub(crate) abi_version: AbiVersion,
    size: usize,
}

/// The reason why a module cannot be loaded.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// The error of the operating system.
        source: std::io::Error,
    },
    /// The bytes are something else than a module, by their first bytes.
    #[error("not a WebAssembly module but {0}")]
    OtherFormat(&'static str),
    /// The bytes are not a module that wasmtime compiles.
    #[error("not a WebAssembly module: {0}")]
    Compile(String),
    /// A file is not a filter.
    #[error("{path}: {source}")]
    InFile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<Self>,
    },
    /// The module exports no `proxy_abi_version_*` that Envoy knows.
    #[error(
        "no known proxy-wasm ABI version: the module must export one of proxy_abi_version_0_1_0, _0_2_0, _0_2_1 \
         (is it a proxy-wasm filter, built as a cdylib?)"
    )]
    AbiVersion,
    /// The module imports functions that neither Envoy nor this host provides.
    #[error("the module imports what no Envoy provides to ABI {version}: {}", imports.join(", "))]
    UnknownImports {
        /// The module's ABI version.
        version: AbiVersion,
        /// `module.name` of each import.
        imports: Vec<String>,
    },
    /// The module exports no memory.
    #[error("the module exports no memory named \"memory\"")]
    NoMemory,
    /// The module exports no allocator.
    #[error(
        "the module exports neither malloc nor proxy_on_memory_allocate, so the host cannot hand data over"
    )]
    NoAllocator,
    /// A function that initialises the module trapped.
    #[error("the filter's initialisation failed: {0}")]
    Trapped(Box<FilterFailure>),
    /// The module does not start.
    #[error("the module does not start: {0}")]
    Start(String),
}

impl LoadError {
    /// Adds the name of the file.
    pub(crate) fn in_file(self, path: &Path) -> Self {
        Self::InFile {
            path: path.to_owned(),
            source: Box::new(self),
        }
    }

    /// Adds the last log lines to the failure of an initialisation.
    pub(crate) fn with_log(self, lines: &[String]) -> Self {
        match self {
            Self::Trapped(failure) => Self::Trapped(Box::new(failure.log(lines))),
            other => other,
        }
    }

    pub(crate) fn engine(error: wasmtime::Error) -> Self {
        Self::Start(format!("{error:#}"))
    }
}

/// Compiled modules by their bytes: compilation takes longer than most tests.
static COMPILED: LazyLock<Mutex<HashMap<Vec<u8>, Module>>> = LazyLock::new(Mutex::default);

impl Module {
    /// Loads a .wasm file.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Self::from_bytes(&read(path)?).map_err(|error| error.in_file(path))
    }

    /// Loads a .wasm file. Processes compile each module once: the compiled module is stored in
    /// `$XDG_CACHE_HOME/host-harness/modules`, by default in `~/.cache`, if that can be written.
    /// The files there must be as trustworthy as the program itself.
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_file_cached(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        let bytes = read(path)?;
        let Some(folder) = cache::folder() else {
            return Self::from_file(path);
        };
        if let Some(module) = cache::load(&engine()?, &folder, &bytes) {
            return Ok(Self(Code::Wasm(Arc::new(Compiled::of(module, &bytes)?))));
        }
        let loaded = Self::from_bytes(&bytes).map_err(|error| error.in_file(path))?;
        if let Code::Wasm(compiled) = &loaded.0 {
            // Without the file, the next process compiles again.
            let _stored = cache::store(&compiled.module, &folder, &bytes);
        }
        Ok(loaded)
    }

    /// Loads a module from its bytes, binary or text (WAT).
    ///
    /// # Errors
    /// See [`LoadError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, LoadError> {
        let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(module) = compiled.get(bytes) {
            return Ok(module.clone());
        }
        let module = Self(Code::Wasm(Arc::new(Compiled::new(bytes)?)));
        compiled.insert(bytes.to_vec(), module.clone());
        Ok(module)
    }

    /// The filter that is linked into this binary; for [`native_filter!`](crate::native_filter).
    #[doc(hidden)]
    pub fn native(exports: Exports) -> Self {
        Self(Code::Native(exports))
    }

    /// The declared ABI version. A linked filter has that of the current SDKs.
    pub fn abi_version(&self) -> AbiVersion {
        match &self.0 {
            Code::Wasm(compiled) => compiled.abi_version,
            Code::Native(_) => AbiVersion::V0_2_1,
        }
    }

    /// The size in bytes; 0 for a linked filter.
    pub fn size(&self) -> usize {
        match &self.0 {
            Code::Wasm(compiled) => compiled.size,
            Code::Native(_) => 0,
        }
    }
}

impl Compiled {
    fn new(bytes: &[u8]) -> Result<Self, LoadError> {
        Self::of(compile(bytes)?, bytes)
    }

    fn of(module: wasmtime::Module, bytes: &[u8]) -> Result<Self, LoadError> {
        let abi_version = abi_version(&module).ok_or(LoadError::AbiVersion)?;
        Ok(Self {
            module,
            abi_version,
            size: bytes.len(),
        })
    }
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    std::fs::read(path).map_err(|source| LoadError::Read {
        path: path.to_owned(),
        source,
    })
}

pub(crate) fn compile(bytes: &[u8]) -> Result<wasmtime::Module, LoadError> {
    if let Some(format) = other_format(bytes) {
        return Err(LoadError::OtherFormat(format));
    }
    wasmtime::Module::new(&engine()?, bytes)
        .map_err(|error| LoadError::Compile(format!("{error:#}")))
}

fn engine() -> Result<Engine, LoadError> {
    Engine::new(Config::new().consume_fuel(true)).map_err(LoadError::engine)
}

/// The format of bytes that are no WebAssembly module, binary or text, by their first bytes.
fn other_format(bytes: &[u8]) -> Option<&'static str> {
    const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";
    const FORMATS: [(&[u8], &str); 11] = [
        (
            COMPONENT,
            "a WebAssembly component: proxy-wasm hosts load core modules, so build it without the component model \
             (for Rust: the target wasm32-unknown-unknown or wasm32-wasip1)",
        ),
        (
            b"\x1f\x8b",
            "a gzip archive: unpack it first (an OCI layer is a gzip archive of a tar archive)",
        ),
        (b"BZh", "a bzip2 archive: unpack it first"),
        (b"\x28\xb5\x2f\xfd", "a zstd archive: unpack it first"),
        (b"PK\x03\x04", "a zip archive: unpack it first"),
        (
            b"\x7fELF",
            "an ELF file, for a machine: compile it for WebAssembly",
        ),
        (
            b"\xcf\xfa\xed\xfe",
            "a Mach-O file, for a machine: compile it for WebAssembly",
        ),
        (b"MZ", "a Windows program: compile it for WebAssembly"),
        (
            b"!<arch>",
            "an archive of object files (a static library): link it as a cdylib",
        ),
        (b"BC\xc0\xde", "LLVM bitcode: link it as a module"),
        (
            b"version https://git-lfs",
            "a pointer of Git LFS: `git lfs pull` gets the file",
        ),
    ];
    const TAR: &[u8] = b"ustar";
    if bytes.is_empty() {
        return Some("an empty file");
    }
    if bytes.get(257..262) == Some(TAR) {
        return Some("a tar archive: unpack it first");
    }
    let known = FORMATS.iter().find(|(start, _)| bytes.starts_with(start));
    known.map(|(_, format)| *format)
}

pub(crate) fn abi_version(module: &wasmtime::Module) -> Option<AbiVersion> {
    module
        .exports()
        .find_map(|export| AbiVersion::from_export(export.name()))
}
