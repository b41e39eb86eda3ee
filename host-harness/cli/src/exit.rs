//! Exit codes beside success (0) and a failed verdict (1).

/// A command failed, for example because a file cannot be read or a filter cannot be loaded. clap
/// uses the same code for a wrong command line.
pub(crate) const ERROR: u8 = 2;

/// The reader closed standard output: the code with which a shell reports a program that SIGPIPE
/// ended. Rust programs ignore that signal.
pub(crate) const CLOSED_PIPE: i32 = 128 + 13;
