//! Standard output that a reader may close early, as `cargo harness trace FILE | head` does.

use std::fmt::Arguments;
use std::io::{self, ErrorKind, Write as _};
use std::process;

use crate::exit;

/// Prints `text`. Ends the process without a message if the reader closed the pipe, and with a
/// message after any other error.
pub(crate) fn print(text: Arguments<'_>) {
    let mut output = io::stdout().lock();
    let Err(error) = output.write_fmt(text).and_then(|()| output.flush()) else {
        return;
    };
    if error.kind() != ErrorKind::BrokenPipe {
        eprintln!("error: cannot write to standard output: {error}");
        process::exit(i32::from(exit::ERROR));
    }
    process::exit(exit::CLOSED_PIPE);
}

/// `print!` of the standard library, without its panic on a closed pipe.
macro_rules! out {
    ($($text:tt)*) => { $crate::output::print(format_args!($($text)*)) };
}

/// `println!` of the standard library, without its panic on a closed pipe.
macro_rules! outln {
    ($($text:tt)*) => { $crate::output::out!("{}\n", format_args!($($text)*)) };
}

pub(crate) use {out, outln};
