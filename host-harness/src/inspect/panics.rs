//! Where a module can panic, and how a host's call gets there.

mod blame;
mod flow;
mod path;
mod program;
mod source;
#[cfg(test)]
mod tests;

use std::fmt;
use std::path::Path;

use wasmparser::BinaryReaderError;

use crate::module::{self, LoadError};
use blame::Blame;
use flow::{Callee, Flow};
use path::Paths;
use program::Program;
use source::Source;

/// Every place in a module where it stops its VM: where the code that a host can reach calls a function
/// that never returns, or executes `unreachable`.
///
/// What never returns follows from the code, not from names, so it holds for any language: a function all of
/// whose paths end in `unreachable`, in `proc_exit` or in another such function. What runs inside of those is
/// not listed: the panic has begun. Indirect calls are taken to reach every function of their type that is in a
/// table, which is more than they do. Other traps (memory, stack, fuel) are outside of this.
///
/// ```
/// let panics = host_harness::Panics::of(br#"(module
///     (func $abort unreachable)
///     (func $check (param i32) (if (local.get 0) (then (call $abort))))
///     (func (export "proxy_on_tick") (param i32) (call $check (local.get 0))))"#)?;
/// let [site] = panics.sites.as_slice() else { unreachable!() };
/// assert_eq!(site.to_string(), "abort ← check");
/// assert_eq!(site.path().to_string(), "proxy_on_tick → check");
/// # Ok::<_, host_harness::PanicsError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Panics {
    /// The functions of the module, without its imports.
    pub functions: usize,
    /// In the order of the code.
    pub sites: Vec<PanicSite>,
}

/// One place where a module can panic. Displays as `what ← where ← what that is inlined into …`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PanicSite {
    /// What is executed there: the function that never returns, or `unreachable`.
    pub panic: String,
    /// Where, from the inside out: the functions that are inlined there, then the module's function itself. Those of
    /// Rust's `core`, strings and vectors panic on behalf of their callers (`unwrap`, an index, a `RefCell`), so
    /// theirs follow, one site each.
    pub frames: Vec<Frame>,
    /// The least indirect, then shortest way from an export to the last of the frames.
    pub path: Vec<Step>,
}

/// A function in the source of a module. Displays as its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// Its name, demangled if it is of Rust.
    pub function: String,
    /// `file:line`, if the module has debug information.
    pub location: Option<String>,
}

/// A function on the way to a [`PanicSite`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// Its name; the export's for the first one.
    pub function: String,
    /// It may be called indirectly here: it is in a table and its type is that of the call.
    pub indirect: bool,
}

/// Why a module cannot be searched for panics.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PanicsError {
    /// It cannot be read, or is no module at all.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// It breaks off or holds what WebAssembly does not know.
    #[error("not a WebAssembly module: {0}")]
    Malformed(#[from] BinaryReaderError),
    /// It carries no function names.
    #[error(
        "the module is stripped: it has no function names (section \"name\"). Build it without stripping, otherwise \
         as it ships; in Rust: cargo build --config 'profile.NAME.strip=false' --config \
         'profile.NAME.debug=\"limited\"'"
    )]
    Stripped,
    /// It throws exceptions, whose flow is not followed.
    #[error("the module uses WebAssembly exceptions, which this check does not follow")]
    Exceptions,
    /// Its DWARF sections cannot be read.
    #[error("the module's debug information cannot be read: {0}")]
    DebugInfo(#[from] addr2line::gimli::Error),
}

impl Panics {
    /// Searches a .wasm file.
    ///
    /// # Errors
    /// See [`PanicsError`].
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self, PanicsError> {
        Self::of(&module::read(path.as_ref())?)
    }

    /// Searches a module given by its bytes, binary or text (WAT).
    ///
    /// # Errors
    /// See [`PanicsError`].
    pub fn of(bytes: &[u8]) -> Result<Self, PanicsError> {
        let bytes =
            wat::parse_bytes(bytes).map_err(|error| LoadError::Compile(error.to_string()))?;
        let program = Program::read(&bytes)?;
        let flows = flow::settle(&program)?;
        let paths = Paths::find(&program, &flows);
        let source = Source::read(&program)?;
        let blame = Blame::new(&program, &flows, &paths, &source);
        let mut sites = Vec::new();
        for function in paths.reached() {
            let Some(flow) = flows.get(function as usize) else {
                continue;
            };
            for (at, panic) in panics_in(flow, &flows, &source) {
                for (function, frames) in blame.outwards(function, at)? {
                    sites.push(PanicSite {
                        panic: panic.clone(),
                        frames,
                        path: paths.to(function, &source),
                    });
                }
            }
        }
        Ok(Self {
            functions: program.bodies(),
            sites,
        })
    }
}

/// Where in the module the function traps or calls what never returns, and what that is.
fn panics_in(flow: &Flow, flows: &[Flow], source: &Source<'_>) -> Vec<(usize, String)> {
    let traps = flow.traps.iter().map(|at| (*at, "unreachable".to_owned()));
    let calls = flow.calls.iter().filter_map(|call| match call.callee {
        Callee::Function(callee) if flow::never_returns(flows, callee) => {
            Some((call.at, source.name(callee)))
        }
        Callee::Function(_) | Callee::Type(_) => None,
    });
    let mut panics: Vec<_> = traps.chain(calls).collect();
    panics.sort();
    panics
}

impl PanicSite {
    /// Its path, for people: `→` is a call, `⇢` may be an indirect one.
    pub fn path(&self) -> impl fmt::Display + '_ {
        fmt::from_fn(|f| {
            for (index, step) in self.path.iter().enumerate() {
                f.write_str(match (index, step.indirect) {
                    (0, _) => "",
                    (_, false) => " → ",
                    (_, true) => " ⇢ ",
                })?;
                f.write_str(&step.function)?;
            }
            Ok(())
        })
    }
}

impl fmt::Display for PanicSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.panic)?;
        self.frames
            .iter()
            .try_for_each(|frame| write!(f, " ← {frame}"))
    }
}

impl fmt::Display for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.function)
    }
}
