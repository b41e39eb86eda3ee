//! A scenario: what the probe filter is told to do, and what the two applications do.

use std::fmt;
use std::time::Duration;

/// One connection through one proxy, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What it is about; unique in a run.
    pub name: String,
    /// The probe filter's configuration: lines of the form `callback#n: action; action`. In it, `{id}` stands for a
    /// word that no other scenario of the run has: metrics are named with it.
    pub script: String,
    /// What the applications do once the connection is open.
    pub steps: Vec<Step>,
}

/// Something happens, and then everything that follows from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client application acts.
    Client(Act),
    /// The server application acts.
    Server(Act),
    /// Time passes. What falls due in it belongs to the step before.
    Advance(Duration),
}

/// What an application does with its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Sends bytes in one segment.
    Write(Vec<u8>),
    /// Sends bytes and FIN in one segment.
    WriteAndEnd(Vec<u8>),
    /// Shuts its write side.
    End,
    /// Closes its socket.
    Close,
    /// Resets the connection.
    Reset,
}

impl Scenario {
    /// The script as it is given to the filter in the run in which the scenario is the `index`-th.
    pub(crate) fn configuration(&self, index: usize) -> String {
        self.script.replace("{id}", &id(index))
    }
}

/// The word that `{id}` stands for.
pub(crate) fn id(index: usize) -> String {
    format!("scenario{index}")
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenario {}", self.name)?;
        for line in self.script.lines() {
            writeln!(f, "  {line}")?;
        }
        let steps = self.steps.iter().map(Step::to_string);
        write!(f, "  steps: {}", steps.collect::<Vec<_>>().join(", "))
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(act) => write!(f, "client {act}"),
            Self::Server(act) => write!(f, "server {act}"),
            Self::Advance(time) => write!(f, "{time:?} pass"),
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write(bytes) => write!(f, "writes {}", bytes.escape_ascii()),
            Self::WriteAndEnd(bytes) => write!(f, "writes {} and ends", bytes.escape_ascii()),
            Self::End => write!(f, "ends"),
            Self::Close => write!(f, "closes"),
            Self::Reset => write!(f, "resets"),
        }
    }
}
