//! Imports and exports of a .wasm file, without running it.

use std::fmt;
use std::path::Path;

use crate::abi::AbiVersion;
use crate::module::{self, LoadError};
use crate::vm::WasmVm;

/// The imports and exports of a module, and the problems that prevent loading it.
///
/// ```
/// let inspection = host_harness::Inspection::of(br#"(module
///     (import "env" "proxy_reticulate_splines" (func))
///     (memory (export "memory") 1)
///     (func (export "malloc") (param i32) (result i32) i32.const 1024)
///     (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32) i32.const 0)
///     (func (export "proxy_abi_version_0_2_1")))"#)?;
/// assert_eq!(inspection.abi_version.unwrap().to_string(), "0.2.1");
/// assert_eq!(inspection.network_callbacks(), ["proxy_on_downstream_data"]);
/// let missing: Vec<_> = inspection.missing().map(|import| import.to_string()).collect();
/// assert_eq!(missing, ["env.proxy_reticulate_splines"]);
/// # Ok::<_, host_harness::LoadError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Inspection {
    /// The size in bytes.
    pub size: usize,
    /// The declared ABI version.
    pub abi_version: Option<AbiVersion>,
    /// The imports, in the module's order.
    pub imports: Vec<Import>,
    /// The names of the exports, in the module's order.
    pub exports: Vec<String>,
    /// The problems that prevent loading it.
    pub problems: Vec<LoadError>,
}

/// One import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// The module of the import, e.g. `env`.
    pub module: String,
    /// The name in that module.
    pub name: String,
    /// Whether the harness provides it for the module's ABI version.
    pub provided: bool,
}

/// The interface that an import belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A host function of the proxy-wasm ABI.
    ProxyWasm,
    /// WASI preview 1.
    Wasi,
    /// Another interface: a toolchain's runtime, or an extension of another host.
    Other,
}

/// The callbacks of TCP streams.
const NETWORK: [&str; 5] = [
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_upstream_connection_close",
];

impl Inspection {
    /// Inspects a .wasm file.
    ///
    /// # Errors
    /// The file cannot be read, or is not a WebAssembly module. All other errors are
    /// [problems](Self::problems).
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        let path = path.as_ref();
        Self::of(&module::read(path)?).map_err(|error| error.in_file(path))
    }

    /// Inspects a module from its bytes, binary or text (WAT).
    ///
    /// # Errors
    /// The bytes are not a WebAssembly module.
    pub fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        let module = module::compile(bytes)?;
        let abi_version = module::abi_version(&module);
        // The version of the current SDKs, if the module declares none.
        let version = abi_version.unwrap_or(AbiVersion::V0_2_1);
        let unknown = WasmVm::unknown_imports(&module, version)?;
        let imports = module.imports().map(|import| {
            let (module, name) = (import.module().to_owned(), import.name().to_owned());
            let provided = !unknown.contains(&format!("{module}.{name}"));
            Import {
                module,
                name,
                provided,
            }
        });
        let imports = imports.collect();
        let exports = module.exports().map(|export| export.name().to_owned());
        let exports: Vec<_> = exports.collect();
        Ok(Self {
            size: bytes.len(),
            abi_version,
            imports,
            problems: problems(abi_version, version, unknown, &exports),
            exports,
        })
    }

    /// Returns the imports that the harness does not provide.
    pub fn missing(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.provided)
    }

    /// Returns the exported callbacks.
    pub fn callbacks(&self) -> impl Iterator<Item = &str> {
        let exports = self.exports.iter().map(String::as_str);
        exports.filter(|name| name.starts_with("proxy_on_") && *name != "proxy_on_memory_allocate")
    }

    /// Returns the exported callbacks of TCP streams.
    pub fn network_callbacks(&self) -> Vec<&str> {
        self.callbacks()
            .filter(|name| NETWORK.contains(name))
            .collect()
    }

    /// Returns the exported callbacks of HTTP streams.
    pub fn http_callbacks(&self) -> Vec<&str> {
        self.callbacks()
            .filter(|name| {
                name.starts_with("proxy_on_request_") || name.starts_with("proxy_on_response_")
            })
            .collect()
    }
}

fn problems(
    declared: Option<AbiVersion>,
    version: AbiVersion,
    imports: Vec<String>,
    exports: &[String],
) -> Vec<LoadError> {
    let lacks = |name: &str| !exports.iter().any(|export| export == name);
    let mut problems = Vec::new();
    if declared.is_none() {
        problems.push(LoadError::AbiVersion);
    }
    if !imports.is_empty() {
        problems.push(LoadError::UnknownImports { version, imports });
    }
    if lacks("memory") {
        problems.push(LoadError::NoMemory);
    }
    if lacks("malloc") && lacks("proxy_on_memory_allocate") {
        problems.push(LoadError::NoAllocator);
    }
    problems
}

impl Import {
    /// Returns the interface that the import belongs to.
    pub fn origin(&self) -> Origin {
        match self.module.as_str() {
            "env" if self.name.starts_with("proxy_") => Origin::ProxyWasm,
            "wasi_snapshot_preview1" | "wasi_unstable" => Origin::Wasi,
            _ => Origin::Other,
        }
    }
}

impl fmt::Display for Import {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.module, self.name)
    }
}
