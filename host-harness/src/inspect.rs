//! What a .wasm file asks of a host and offers to it, without running it.

use crate::abi::AbiVersion;
use crate::module::{self, LoadError};
use crate::vm::WasmVm;
use std::fmt;
use std::path::Path;

/// What a module imports and exports, and what keeps it from being loaded.
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
    /// Its size in bytes.
    pub size: usize,
    /// The ABI version it declares.
    pub abi_version: Option<AbiVersion>,
    /// What it imports, in its order.
    pub imports: Vec<Import>,
    /// The names it exports, in its order.
    pub exports: Vec<String>,
    /// What keeps the harness from loading it.
    pub problems: Vec<LoadError>,
}

/// One import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Import {
    /// The module it is imported from, e.g. `env`.
    pub module: String,
    /// Its name there.
    pub name: String,
    /// The harness has it, for this module's ABI version.
    pub provided: bool,
}

/// Whose an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// A host function of the proxy-wasm ABI.
    ProxyWasm,
    /// WASI preview 1.
    Wasi,
    /// Something else: a toolchain's runtime, or another host's extension.
    Other,
}

/// Callbacks that only a TCP stream has.
const NETWORK: [&str; 5] = [
    "proxy_on_new_connection",
    "proxy_on_downstream_data",
    "proxy_on_upstream_data",
    "proxy_on_downstream_connection_close",
    "proxy_on_upstream_connection_close",
];

impl Inspection {
    /// Reads a .wasm file.
    ///
    /// # Errors
    /// The file cannot be read, or is no module at all; whatever else is wrong is among the
    /// [problems](Self::problems).
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self, LoadError> {
        Self::of(&module::read(path.as_ref())?)
    }

    /// Reads a module from its bytes, binary or text (WAT).
    ///
    /// # Errors
    /// The bytes are no module.
    pub fn of(bytes: &[u8]) -> Result<Self, LoadError> {
        let module = module::compile(bytes)?;
        let abi_version = module::abi_version(&module);
        // Without a declared version, the one that filters are built for today.
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

    /// The imports that the harness does not have.
    pub fn missing(&self) -> impl Iterator<Item = &Import> {
        self.imports.iter().filter(|import| !import.provided)
    }

    /// All callbacks it exports.
    pub fn callbacks(&self) -> impl Iterator<Item = &str> {
        let exports = self.exports.iter().map(String::as_str);
        exports.filter(|name| name.starts_with("proxy_on_") && *name != "proxy_on_memory_allocate")
    }

    /// The callbacks it exports that only a TCP stream has.
    pub fn network_callbacks(&self) -> Vec<&str> {
        let network = |name: &&str| NETWORK.contains(name);
        self.callbacks().filter(network).collect()
    }

    /// The callbacks it exports that only an HTTP stream has.
    pub fn http_callbacks(&self) -> Vec<&str> {
        let http = |name: &&str| {
            name.starts_with("proxy_on_request_") || name.starts_with("proxy_on_response_")
        };
        self.callbacks().filter(http).collect()
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
    /// Whose it is, by its name.
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
