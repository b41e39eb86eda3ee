//! What goes to the terminal, or to another program that may not read all of it.

use std::fmt::Display;
use std::io::{self, Write};

use oci::Error;

/// Prints a line. A reader that ends early, such as `head`, has what it wants: that is no error.
pub(crate) fn print(line: impl Display) -> Result<(), Error> {
    match writeln!(io::stdout(), "{line}") {
        Err(source) if source.kind() != io::ErrorKind::BrokenPipe => Err(Error::Io {
            what: "cannot write to standard output".into(),
            source,
        }),
        _ => Ok(()),
    }
}

/// Prints a line for people. Nobody may be there to read it, and that changes nothing.
pub(crate) fn tell(line: impl Display) {
    let _ = writeln!(io::stderr(), "{line}");
}
