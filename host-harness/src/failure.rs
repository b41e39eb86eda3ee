//! The failure of a filter: what a host says of a VM that ended, or of a call that it cannot answer.

use std::fmt;

use serde::Serialize;

/// The number of log lines in a failure.
const LINES: usize = 10;
/// The number of characters of a log line in a failure.
const LINE_LENGTH: usize = 300;

/// The failure of a filter. Its text has the callback, the reason, the backtrace and the filter's
/// last log lines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct FilterFailure {
    /// The kind.
    pub kind: FailureKind,
    /// The export that the host had called, e.g. `proxy_on_downstream_data`; empty if the host does
    /// not tell.
    pub callback: String,
    /// The reason in the words of the host: the trap, the fuel, the host function.
    pub reason: String,
    /// The functions of the filter that were running, the innermost first, by their names where the
    /// module has them.
    pub backtrace: Vec<String>,
    /// The last log lines of the filter, in order. Long lines are cut.
    pub log: Vec<String>,
}

impl std::error::Error for FilterFailure {}

/// The kind of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// The filter trapped: a panic, an access outside of its memory, or any other. Its VM is dead.
    Trap,
    /// A callback does not return.
    Hang,
    /// The filter called what the emulator does not have and Envoy has. The VM lives, but its
    /// behaviour says nothing about Envoy.
    Unsupported,
    /// The host itself ended or could not load the filter again.
    Host,
}

impl FilterFailure {
    /// Returns a failure without a backtrace and log lines.
    pub fn new(kind: FailureKind, callback: impl Into<String>, reason: impl Into<String>) -> Self {
        Self {
            kind,
            callback: callback.into(),
            reason: reason.into(),
            backtrace: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Sets the backtrace, the innermost function first.
    #[must_use]
    pub fn backtrace(mut self, frames: impl IntoIterator<Item = String>) -> Self {
        self.backtrace = frames.into_iter().collect();
        self
    }

    /// Keeps the last ones of the filter's log lines, and the start of each.
    #[must_use]
    pub fn log<S: AsRef<str>>(mut self, lines: &[S]) -> Self {
        let first = lines.len().saturating_sub(LINES);
        let last = lines.get(first..).unwrap_or_default();
        self.log = last.iter().map(|line| cut(line.as_ref())).collect();
        self
    }
}

/// The first characters of a line.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_LENGTH) {
        Some((end, _)) => {
            let head = line.get(..end).unwrap_or_default();
            format!("{head}… ({} bytes)", line.len())
        }
        None => line.to_owned(),
    }
}

impl fmt::Display for FilterFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let callback = match self.callback.as_str() {
            "" => "a callback",
            name => name,
        };
        let reason = &self.reason;
        match self.kind {
            FailureKind::Trap => write!(f, "{callback} trapped: {reason}"),
            FailureKind::Hang => write!(f, "{callback} hangs: {reason}"),
            FailureKind::Unsupported => {
                write!(f, "{callback} needs what the emulator lacks: {reason}")
            }
            FailureKind::Host => f.write_str(reason),
        }?;
        list(f, "backtrace", &self.backtrace)?;
        list(f, "last log lines", &self.log)
    }
}

fn list(f: &mut fmt::Formatter<'_>, title: &str, lines: &[String]) -> fmt::Result {
    if !lines.is_empty() {
        write!(f, "\n  {title}:")?;
    }
    let mut lines = lines.iter();
    lines.try_for_each(|line| write!(f, "\n    {}", line.replace('\n', "\n    ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_has_the_last_lines_and_cuts_long_ones() {
        let lines: Vec<_> = (0..12).map(|number| "é".repeat(number * 100)).collect();
        let failure = FilterFailure::new(FailureKind::Trap, "proxy_on_log", "unreachable")
            .backtrace(["0: deep".to_owned()])
            .log(&lines);
        let text = failure.to_string();
        let start = "proxy_on_log trapped: unreachable\n  backtrace:\n    0: deep\n  last log lines:\n    éé";
        assert!(text.starts_with(start), "{text}");
        assert!(
            text.ends_with(&format!("\n    {}… (2200 bytes)", "é".repeat(300))),
            "{text}"
        );
        assert_eq!(text.lines().count(), 14);
    }
}
