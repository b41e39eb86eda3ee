//! Captured log lines.

use std::cell::RefCell;
use std::fmt;

use crate::abi::LogLevel;

/// One log line of the filter, or of the emulated Envoy itself.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogLine {
    /// The level.
    pub level: LogLevel,
    /// The name of the plugin; empty for a line of Envoy itself.
    pub plugin: String,
    /// The id of the current context; 0 for a line of Envoy itself.
    pub context: u32,
    /// The text.
    pub message: String,
}

impl fmt::Display for LogLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.level, self.message)
    }
}

/// All lines of one emulated Envoy, in order.
#[derive(Debug, Default)]
pub(crate) struct Logs(RefCell<Vec<LogLine>>);

impl Logs {
    /// Adds an error that Envoy itself logs.
    pub(crate) fn error(&self, message: String) {
        self.push(LogLine {
            level: LogLevel::Error,
            plugin: String::new(),
            context: 0,
            message,
        });
    }

    pub(crate) fn push(&self, line: LogLine) {
        self.0.borrow_mut().push(line);
    }

    /// Removes and returns all lines.
    pub(crate) fn take(&self) -> Vec<LogLine> {
        self.0.take()
    }

    /// The lines as text.
    pub(crate) fn texts(&self) -> Vec<String> {
        self.0.borrow().iter().map(ToString::to_string).collect()
    }

    pub(crate) fn all(&self) -> Vec<LogLine> {
        self.0.borrow().clone()
    }
}
