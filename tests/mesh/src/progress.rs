//! Progress messages on the standard error. The standard output has only the result.

use std::io::{self, Write};

/// Writes a line. Ignores a closed standard error.
pub fn say(line: &str) {
    let _unread = writeln!(io::stderr(), "{line}");
}

/// Writes a line about a part.
pub fn step(part: &str, what: &str) {
    say(&format!("{part:>14}  {what}"));
}
