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
    /// The name of its plugin; empty for what Envoy itself would log.
    pub plugin: String,
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
    /// Adds an error that Envoy itself logs.
    pub(crate) fn error(&self, message: String) {
        self.push(LogLine {
            level: LogLevel::Error,
            plugin: String::new(),
            context: 0,
            message,
        });
    }

    fn push(&self, line: LogLine) {
        self.0.borrow_mut().push(line);
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
        let plugin = self.context().map(|context| context.plugin.name.clone());
        self.process.logs.push(LogLine {
            level,
            plugin: plugin.unwrap_or_default(),
            context: self.context_id(),
            message,
        });
    }
}
