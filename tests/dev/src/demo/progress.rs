//! What is going on, on the error stream: the output is for the result.

use std::io::{self, Write};

/// Writes a line. Nobody may be there to read it.
pub(super) fn say(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

/// Writes a line about a part of the demo.
pub(super) fn step(part: &str, what: &str) {
    say(&format!("{part:>14}  {what}"));
}
