//! A scenario: the script of the probe filter, and the steps of the two applications.

use std::fmt;
use std::time::Duration;

use host_harness::ConnectMode;

/// `max_early_data_bytes`: fewer than most writes have.
pub(crate) const EARLY_DATA: usize = 4;

/// One connection through one proxy, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, unique in a run.
    pub name: String,
    /// The probe filter's configuration: lines of the form `callback#n: action; action`. In it,
    /// `{id}` is replaced by a word that no other scenario of the run has, for the names of
    /// metrics.
    pub script: String,
    /// The event after which tcp_proxy connects to the server.
    pub connect_mode: ConnectMode,
    /// The steps of the applications once the connection is open.
    pub steps: Vec<Step>,
}

/// An event with all its effects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// The client application acts.
    Client(Act),
    /// The server application acts.
    Server(Act),
    /// Both applications act, and none waits for the other. The proxy may see either first.
    AtOnce {
        /// The client application's action.
        client: Act,
        /// The server application's action.
        server: Act,
    },
    /// Time passes. The effects of timers that fire in this time belong to the previous step.
    Advance(Duration),
}

/// An application's operation on its socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Sends bytes in one segment.
    Write(Vec<u8>),
    /// Sends bytes and FIN in one segment.
    WriteAndEnd(Vec<u8>),
    /// Shuts down its write side.
    End,
    /// Closes its socket.
    Close,
    /// Resets the connection.
    Reset,
}

impl Scenario {
    /// The filter's configuration for the `index`-th scenario of a run.
    pub(crate) fn configuration(&self, index: usize) -> String {
        self.script.replace("{id}", &id(index))
    }
}

impl Scenario {
    /// For each combination of orders: whether the server's act comes first in the n-th
    /// [`Step::AtOnce`].
    pub(crate) fn orders(&self) -> Vec<Vec<bool>> {
        let is_at_once = |step: &&Step| matches!(step, Step::AtOnce { .. });
        let count = self.steps.iter().filter(is_at_once).count();
        let bits = |number: u32| (0..count).map(|at| number >> at & 1 == 1).collect();
        (0..1 << count).map(bits).collect()
    }
}

/// The word that replaces `{id}`.
pub(crate) fn id(index: usize) -> String {
    format!("scenario{index}")
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "scenario {}", self.name)?;
        for line in self.script.lines() {
            writeln!(f, "  {line}")?;
        }
        if self.connect_mode != ConnectMode::Immediate {
            writeln!(f, "  upstream: {:?}", self.connect_mode)?;
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
            Self::AtOnce { client, server } => {
                write!(f, "client {client} while server {server}")
            }
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
