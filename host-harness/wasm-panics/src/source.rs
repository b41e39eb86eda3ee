//! Names of functions, and the source locations of instructions.

use addr2line::Context;
use addr2line::gimli::{Dwarf, EndianSlice, LittleEndian};

use crate::error::PanicsError;
use crate::program::Program;
use crate::site::Frame;

type Bytes<'a> = EndianSlice<'a, LittleEndian>;

pub(super) struct Source<'a> {
    names: Vec<String>,
    debug: Option<Context<Bytes<'a>>>,
    code: usize,
}

impl<'a> Source<'a> {
    pub(super) fn read(program: &Program<'a>) -> Result<Self, PanicsError> {
        let names = (0..)
            .zip(&program.functions)
            .map(|(index, function)| match &function.name {
                Some(name) => demangled(name),
                None => unnamed(index),
            });
        let section = |name: &str| program.sections.get(name).copied();
        let debug = match section(".debug_info") {
            Some(_) => Some(Context::from_dwarf(Dwarf::load(|id| {
                let data = section(id.name()).unwrap_or_default();
                Ok::<_, PanicsError>(EndianSlice::new(data, LittleEndian))
            })?)?),
            None => None,
        };
        Ok(Self {
            names: names.collect(),
            debug,
            code: program.code,
        })
    }

    pub(super) fn name(&self, function: u32) -> String {
        let name = self.names.get(function as usize);
        name.cloned().unwrap_or_else(|| unnamed(function))
    }

    /// The frames of an instruction of this function, at this offset of the module.
    pub(super) fn frames(&self, function: u32, at: usize) -> Result<Vec<Frame>, PanicsError> {
        let mut frames = Vec::new();
        if let Some(debug) = &self.debug {
            let address = at.saturating_sub(self.code) as u64;
            let mut found = debug.find_frames(address).skip_all_loads()?;
            while let Some(frame) = found.next()? {
                let Some(name) = frame.function else { continue };
                let location = frame
                    .location
                    .and_then(|location| Some(format!("{}:{}", location.file?, location.line?)));
                frames.push(Frame {
                    function: demangled(&name.raw_name()?),
                    location,
                });
            }
        }
        if frames.is_empty() {
            frames.push(Frame {
                function: self.name(function),
                location: None,
            });
        }
        Ok(frames)
    }
}

fn unnamed(function: u32) -> String {
    format!("function {function}")
}

/// The name without its hash, which changes with the code.
fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}
