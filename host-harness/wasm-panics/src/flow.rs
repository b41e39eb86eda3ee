//! Reachable instructions of a function, and whether it can return.

use std::collections::BTreeSet;

use wasmparser::{FunctionBody, Operator};

use crate::error::PanicsError;
use crate::program::Program;

/// An import that never returns.
const EXIT: &str = "wasi_snapshot_preview1.proc_exit";

/// The calls and traps of a function that can be reached from its start.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// The function can return to its caller.
    pub(super) returns: bool,
    /// In the order of the code.
    pub(super) calls: Vec<Call>,
    /// The offsets of reachable `unreachable` instructions in the module.
    pub(super) traps: Vec<usize>,
}

#[derive(Debug)]
pub(super) struct Call {
    /// The offset in the module.
    pub(super) at: usize,
    pub(super) callee: Callee,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Callee {
    /// This function, by its index.
    Function(u32),
    /// Any function of this type in a table.
    Type(u32),
}

/// The flow of every function. A function that only calls functions that never return does not
/// return either, so the functions are walked until no more such functions are found.
pub(super) fn settle(program: &Program<'_>) -> Result<Vec<Flow>, PanicsError> {
    let mut endless = BTreeSet::new();
    loop {
        let mut flows = Vec::with_capacity(program.functions.len());
        for function in &program.functions {
            flows.push(match &function.body {
                Some(body) => Walk::new(program, &endless).over(body)?,
                None => Flow {
                    returns: function.name.as_deref() != Some(EXIT),
                    ..Flow::default()
                },
            });
        }
        let found: BTreeSet<u32> = (0..)
            .zip(&flows)
            .filter(|(_, flow)| !flow.returns)
            .map(|(index, _)| index)
            .collect();
        if found == endless {
            return Ok(flows);
        }
        endless = found;
    }
}

pub(super) fn never_returns(flows: &[Flow], function: u32) -> bool {
    flows
        .get(function as usize)
        .is_some_and(|flow| !flow.returns)
}

struct Walk<'p, 'a> {
    program: &'p Program<'a>,
    /// The functions that never return, as far as found.
    endless: &'p BTreeSet<u32>,
    flow: Flow,
    /// The blocks around the current instruction; the function body is the first.
    blocks: Vec<Block>,
    /// The current instruction can be reached.
    live: bool,
}

struct Block {
    kind: Kind,
    /// The start of the block can be reached.
    entered: bool,
    /// A reachable branch goes to the end of the block.
    left: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    /// An `if` whose `else` was not seen yet.
    If,
    /// A branch to a loop goes to its start.
    Loop,
}

impl<'p, 'a> Walk<'p, 'a> {
    fn new(program: &'p Program<'a>, endless: &'p BTreeSet<u32>) -> Self {
        Self {
            program,
            endless,
            flow: Flow::default(),
            blocks: Vec::new(),
            live: true,
        }
    }

    fn over(mut self, body: &FunctionBody<'_>) -> Result<Flow, PanicsError> {
        self.enter(Kind::Block);
        for operator in body.get_operators_reader()?.into_iter_with_offsets() {
            let (operator, at) = operator?;
            self.step(&operator, at)?;
        }
        self.flow.returns |= self.live;
        Ok(self.flow)
    }

    fn step(&mut self, operator: &Operator<'_>, at: usize) -> Result<(), PanicsError> {
        match operator {
            Operator::Block { .. } => self.enter(Kind::Block),
            Operator::Loop { .. } => self.enter(Kind::Loop),
            Operator::If { .. } => self.enter(Kind::If),
            Operator::Else => self.otherwise(),
            Operator::End => self.leave(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.live = false;
            }
            Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth } => self.branch(*relative_depth),
            Operator::BrTable { targets } => {
                for target in targets.targets() {
                    self.branch(target?);
                }
                self.branch(targets.default());
                self.live = false;
            }
            Operator::Return => self.finish(),
            Operator::Call { function_index } => self.call(Callee::Function(*function_index), at),
            Operator::CallIndirect { type_index, .. } | Operator::CallRef { type_index } => {
                self.call(self.of_type(*type_index), at);
            }
            Operator::ReturnCall { function_index } => {
                self.call(Callee::Function(*function_index), at);
                self.finish();
            }
            Operator::ReturnCallIndirect { type_index, .. }
            | Operator::ReturnCallRef { type_index } => {
                self.call(self.of_type(*type_index), at);
                self.finish();
            }
            Operator::Unreachable => {
                if self.live {
                    self.flow.traps.push(at);
                }
                self.live = false;
            }
            Operator::Try { .. } | Operator::TryTable { .. } | Operator::Throw { .. } => {
                return Err(PanicsError::Exceptions);
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, kind: Kind) {
        self.blocks.push(Block {
            kind,
            entered: self.live,
            left: false,
        });
    }

    fn otherwise(&mut self) {
        let live = self.live;
        if let Some(block) = self.blocks.last_mut() {
            block.left |= live;
            block.kind = Kind::Block;
            self.live = block.entered;
        }
    }

    fn leave(&mut self) {
        if let Some(block) = self.blocks.pop() {
            let skipped = block.kind == Kind::If && block.entered;
            self.live |= skipped || block.left;
        }
    }

    fn branch(&mut self, depth: u32) {
        let mut outwards = self.blocks.iter_mut().rev();
        if let Some(block) = outwards.nth(depth as usize) {
            block.left |= self.live && block.kind != Kind::Loop;
        }
    }

    fn call(&mut self, callee: Callee, at: usize) {
        if !self.live {
            return;
        }
        self.flow.calls.push(Call { at, callee });
        self.live = !matches!(callee, Callee::Function(index) if self.endless.contains(&index));
    }

    fn finish(&mut self) {
        self.flow.returns |= self.live;
        self.live = false;
    }

    fn of_type(&self, type_index: u32) -> Callee {
        Callee::Type(self.program.type_index(type_index))
    }
}
