//! A place where a module can panic.

use std::fmt;

/// One place where a module can panic. `Display` prints `callee ← function ← inlined into …`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PanicSite {
    /// The function that never returns, or `unreachable`.
    pub panic: String,
    /// The functions at this place from the inside out: first the inlined ones, last the module's
    /// own function. Functions of Rust's `core`, strings and vectors panic on behalf of their
    /// callers (`unwrap`, an index, a `RefCell`), so their callers follow, one site each.
    pub frames: Vec<Frame>,
    /// The path from an export to the last frame with the fewest indirect calls; among these the
    /// shortest.
    pub path: Vec<Step>,
}

/// A function in the source of a module. `Display` prints its name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Frame {
    /// The name; demangled if it is a Rust symbol.
    pub function: String,
    /// `file:line`, if the module has debug information.
    pub location: Option<String>,
}

/// A function on the path to a [`PanicSite`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Step {
    /// The name; the export's name for the first step.
    pub function: String,
    /// The call may be indirect: the function is in a table and has the type of the call.
    pub indirect: bool,
}

impl PanicSite {
    /// The path as text: `→` is a direct call, `⇢` may be an indirect one.
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
