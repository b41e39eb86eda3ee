//! Lists every place where a WebAssembly module can panic, with a call path from an export to it.

mod blame;
mod error;
mod flow;
mod path;
mod program;
mod site;
mod source;
#[cfg(test)]
mod tests;

use std::path::Path;

pub use error::PanicsError;
pub use site::{Frame, PanicSite, Step};

use blame::Blame;
use flow::{Callee, Flow};
use path::Paths;
use program::Program;
use source::Source;

/// Every place in a module that stops its VM: code that the host can reach and that calls a
/// function that never returns, or executes `unreachable`.
///
/// The analysis derives "never returns" from the code, not from names, so it works for any source
/// language: all paths of such a function end in `unreachable`, in `proc_exit` or in another such
/// function. Code inside these functions is not listed, because the panic has begun by then. An
/// indirect call counts as a call of every function of its type in a table; this over-approximates
/// the calls at run time. Other traps (memory, stack, fuel) are out of scope.
///
/// ```
/// let panics = wasm_panics::Panics::of(br#"(module
///     (func $abort unreachable)
///     (func $check (param i32) (if (local.get 0) (then (call $abort))))
///     (func (export "proxy_on_tick") (param i32) (call $check (local.get 0))))"#)?;
/// let [site] = panics.sites.as_slice() else { unreachable!() };
/// assert_eq!(site.to_string(), "abort ← check");
/// assert_eq!(site.path().to_string(), "proxy_on_tick → check");
/// # Ok::<_, wasm_panics::PanicsError>(())
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Panics {
    /// The number of functions in the module, without imports.
    pub functions: usize,
    /// The places, in the order of the code.
    pub sites: Vec<PanicSite>,
}

impl Panics {
    /// Analyses a .wasm file.
    ///
    /// # Errors
    /// See [`PanicsError`].
    pub fn of_file(path: impl AsRef<Path>) -> Result<Self, PanicsError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| PanicsError::Read {
            path: path.to_owned(),
            source,
        })?;
        Self::of(&bytes)
    }

    /// Analyses a module given by its bytes, binary or text (WAT).
    ///
    /// # Errors
    /// See [`PanicsError`].
    pub fn of(bytes: &[u8]) -> Result<Self, PanicsError> {
        let bytes = wat::parse_bytes(bytes)?;
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

/// The offsets in the module at which the function traps or calls a function that never returns,
/// each with the name of the callee, or `unreachable`.
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
