//! Notices for the log about keys that are accepted but have no effect, or not the expected one.

/// The notices of a configuration, one line each.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Notices(Vec<String>);

impl Notices {
    pub(super) fn no_effect(&mut self, path: &str, reason: &str) {
        self.0.push(format!("{path} has no effect: {reason}"));
    }

    pub(super) fn ignored(&mut self, paths: &str, reason: &str) {
        self.0.push(format!("{paths} ignored: {reason}"));
    }

    pub(super) fn hint(&mut self, path: &str, hint: &str) {
        self.0.push(format!("{path}: {hint}"));
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}
