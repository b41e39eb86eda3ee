//! Captured log lines.

use super::Host;
use crate::abi::LogLevel;
use std::cell::RefCell;
use std::fmt;

/// One line that the filter, or the harness on Envoy's behalf, logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: LogLevel,
    /// The context that was current; 0 for what Envoy itself would log.
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
    pub(crate) fn push(&self, level: LogLevel, context: u32, message: String) {
        self.0.borrow_mut().push(LogLine {
            level,
            context,
            message,
        });
    }

    pub(crate) fn take(&self) -> Vec<LogLine> {
        self.0.take()
    }

    pub(crate) fn all(&self) -> Vec<LogLine> {
        self.0.borrow().clone()
    }
}

impl Host {
    /// `proxy_log`.
    pub(crate) fn log(&self, level: LogLevel, message: String) {
        self.process.logs.push(level, self.context_id(), message);
    }
}
