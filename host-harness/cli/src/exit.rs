//! Exit codes beside 0, everything passed, and 1, a scenario or the filter in it failed.

/// Something could not be played: a file cannot be read, a filter cannot be loaded, there is no
/// scenario. clap uses the same code for a wrong command line.
pub(crate) const ERROR: u8 = 2;

/// The reader closed standard output: the code with which a shell reports a program that SIGPIPE
/// ended. Rust programs ignore that signal.
pub(crate) const CLOSED_PIPE: i32 = 128 + 13;
