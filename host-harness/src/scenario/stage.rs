//! Where a scenario is played.

use std::fmt;
use std::time::Duration;

use super::model::{Action, Connect};
use crate::stats::Series;

/// An end of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum End {
    /// The client application.
    Client,
    /// The server application.
    Server,
}

/// A sidecar's place.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Side {
    /// The client's sidecar.
    Outbound,
    /// The server's sidecar.
    Inbound,
}

/// Why a stage cannot go on; not a failed expectation.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StageError(String);

/// What plays a scenario: applications, sidecars between them, and a clock.
///
/// Connections go by the names that the scenario gives them.
pub trait Stage {
    /// The client application connects.
    ///
    /// # Errors
    /// It cannot.
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError>;

    /// An application writes; one write arrives as one piece unless the connection cuts it.
    ///
    /// # Errors
    /// There is no such connection.
    fn write(&mut self, connection: &str, end: End, bytes: &[u8]) -> Result<(), StageError>;

    /// An application ends its direction or resets.
    ///
    /// # Errors
    /// There is no such connection.
    fn act(&mut self, connection: &str, end: End, action: Action) -> Result<(), StageError>;

    /// Time passes, in which ticks fall due.
    fn advance(&mut self, by: Duration);

    /// Everything that an application has received.
    ///
    /// # Errors
    /// There is no such connection.
    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError>;

    /// Whether an application sees the other end's end, or the connection's.
    ///
    /// # Errors
    /// There is no such connection.
    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError>;

    /// Every series of a sidecar.
    ///
    /// # Errors
    /// There is no such sidecar.
    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError>;

    /// The lines that a sidecar's filter has logged.
    ///
    /// # Errors
    /// There is no such sidecar.
    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError>;

    /// How long an expectation may take to come true: nothing on a virtual clock.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

impl StageError {
    /// An error with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// The scenario uses a connection that it has not opened.
    pub fn no_connection(name: &str) -> Self {
        Self(format!(
            "no connection is named {name:?}: add a `connect` step before"
        ))
    }

    /// The scenario asks about a sidecar that it does not have.
    pub fn no_sidecar(side: Side) -> Self {
        Self(format!(
            "there is no {side} sidecar with the filter in this scenario"
        ))
    }
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Client => "client",
            Self::Server => "server",
        })
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Outbound => "outbound",
            Self::Inbound => "inbound",
        })
    }
}
