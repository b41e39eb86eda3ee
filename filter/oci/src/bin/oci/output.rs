//! Output to a terminal, or to a program that may not read all of it.

use std::fmt::Display;
use std::io::{self, Write};

use oci::Error;

/// Prints a line. A reader that exits early, such as `head`, is not an error.
pub(crate) fn print(line: impl Display) -> Result<(), Error> {
    match writeln!(io::stdout(), "{line}") {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(Error::Io {
            what: "cannot write to standard output".into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Prints a line to standard error. Errors are ignored: the message has no other destination.
pub(crate) fn report(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
