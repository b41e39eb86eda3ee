//! The environment in which a scenario is played.

use std::fmt;
use std::time::Duration;

use super::at_once::{Act, AtOnce};
use super::model::{Connect, Update};
use super::roles::{End, Side};
use crate::failure::FilterFailure;
use crate::stats::Series;

/// The reason why a stage cannot play a step; not a failed expectation.
#[derive(Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct StageError(String);

/// The environment of a scenario: applications, sidecars between them, and a clock.
///
/// Connections have the names of the scenario.
pub trait Stage {
    /// Opens a connection of the client application.
    ///
    /// # Errors
    /// The connection fails.
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError>;

    /// Performs an action of an application. A write arrives as one piece unless the connection
    /// divides it.
    ///
    /// # Errors
    /// The connection does not exist.
    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError>;

    /// Performs actions of which none waits for another.
    ///
    /// # Errors
    /// A connection does not exist.
    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError>;

    /// Lets time pass and delivers the ticks that become due.
    fn advance(&mut self, by: Duration);

    /// Updates the listener of a sidecar: a filter gets another configuration.
    ///
    /// # Errors
    /// The sidecar does not exist, or the filter rejects the configuration.
    fn update(&mut self, update: &Update) -> Result<(), StageError>;

    /// Ends the drain time of a sidecar whose listener was updated.
    ///
    /// # Errors
    /// The sidecar does not exist.
    fn drain(&mut self, side: Side) -> Result<(), StageError>;

    /// Returns all bytes that an application has received.
    ///
    /// # Errors
    /// The connection does not exist.
    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError>;

    /// Returns whether the other end has ended its half, or the connection.
    ///
    /// # Errors
    /// The connection does not exist.
    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError>;

    /// Returns all series of a sidecar.
    ///
    /// # Errors
    /// The sidecar does not exist.
    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError>;

    /// Returns the log lines of a sidecar's filter.
    ///
    /// # Errors
    /// The sidecar does not exist.
    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError>;

    /// Returns the failures of the filters so far, each with its sidecar.
    ///
    /// # Errors
    /// The sidecars cannot be asked.
    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError>;

    /// Waits, after the last step, until the sidecars have handled everything that happened.
    fn settle(&mut self) {}

    /// Returns the time limit for an expectation; zero on a virtual clock.
    fn patience(&self) -> Duration {
        Duration::ZERO
    }
}

impl StageError {
    /// Returns an error with this text.
    pub fn new(text: impl fmt::Display) -> Self {
        Self(text.to_string())
    }

    /// Returns the error for a connection that the scenario has not opened.
    pub fn no_connection(name: &str) -> Self {
        Self(format!(
            "no connection is named {name:?}: add a `connect` step before"
        ))
    }

    /// Returns the error for an action of the server application before it has a connection.
    pub fn no_server() -> Self {
        Self::new("no proxy has connected to the server application")
    }

    /// Returns the error for a sidecar that the scenario does not have.
    pub fn no_sidecar(side: Side) -> Self {
        Self(format!(
            "there is no {side} sidecar with the filter in this scenario"
        ))
    }
}
