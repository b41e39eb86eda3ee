//! Exit codes beside success (0) and a failed verdict (1).

/// A command could not do its work: a file cannot be read, a filter cannot be loaded. clap exits with
/// it for a wrong command line.
pub(crate) const ERROR: u8 = 2;

/// The reader closed standard output: the code of a program that SIGPIPE ended, as a shell reports it.
/// Rust programs ignore that signal.
pub(crate) const CLOSED_PIPE: i32 = 128 + 13;
