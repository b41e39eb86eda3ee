//! Attributes a panic to the function that causes it.

use std::collections::BTreeMap;

use crate::error::PanicsError;
use crate::flow::{Callee, Flow};
use crate::path::Paths;
use crate::program::Program;
use crate::site::Frame;
use crate::source::Source;

/// Finds the callers of functions that panic on behalf of their callers.
pub(super) struct Blame<'a> {
    program: &'a Program<'a>,
    source: &'a Source<'a>,
    /// By callee: the direct callers, each with the offset of its call.
    callers: BTreeMap<u32, Vec<(u32, usize)>>,
}

/// The function that causes a panic, and the frames from the panic to it.
type Blamed = (u32, Vec<Frame>);

impl<'a> Blame<'a> {
    pub(super) fn new(
        program: &'a Program<'a>,
        flows: &[Flow],
        paths: &Paths,
        source: &'a Source<'a>,
    ) -> Self {
        let mut callers: BTreeMap<u32, Vec<(u32, usize)>> = BTreeMap::new();
        for caller in paths.reached() {
            let calls = flows.get(caller as usize).map(|flow| flow.calls.as_slice());
            for call in calls.unwrap_or_default() {
                if let Callee::Function(callee) = call.callee {
                    callers.entry(callee).or_default().push((caller, call.at));
                }
            }
        }
        Self {
            program,
            source,
            callers,
        }
    }

    /// The frames of a place, outwards to the first function that does not panic on behalf of its
    /// caller.
    pub(super) fn outwards(&self, function: u32, at: usize) -> Result<Vec<Blamed>, PanicsError> {
        let mut blamed = Vec::new();
        self.follow(
            &mut vec![function],
            self.source.frames(function, at)?,
            &mut blamed,
        )?;
        Ok(blamed)
    }

    /// Follows the last function of a chain of calls; `frames` are the frames of that chain.
    fn follow(
        &self,
        chain: &mut Vec<u32>,
        frames: Vec<Frame>,
        blamed: &mut Vec<Blamed>,
    ) -> Result<(), PanicsError> {
        let Some(&function) = chain.last() else {
            return Ok(());
        };
        let callers = match frames.last() {
            Some(frame) if passes_blame(&frame.function) => self.callers.get(&function),
            _ => None,
        };
        let callers = callers.map(Vec::as_slice).unwrap_or_default();
        for &(caller, at) in callers {
            if !chain.contains(&caller) {
                let mut frames = frames.clone();
                frames.extend(self.source.frames(caller, at)?);
                chain.push(caller);
                self.follow(chain, frames, blamed)?;
                chain.pop();
            }
        }
        if callers.is_empty() || self.program.is_entered_from_elsewhere(function) {
            blamed.push((function, frames));
        }
        Ok(())
    }
}

/// Paths whose functions document when they panic: the caller violates their contract.
const PASS_BLAME: [&str; 3] = ["core::", "alloc::string::", "alloc::vec::"];

fn passes_blame(function: &str) -> bool {
    let function = function.trim_start_matches(['<', '&', '[']);
    PASS_BLAME.iter().any(|path| function.starts_with(path))
}
