//! Prints the closing list of a run of `cargo test` to standard error, without libtest.

use std::{env, fs, io};

fn main() -> io::Result<()> {
    if env::args().any(|argument| argument == "--list") {
        return Ok(());
    }
    let list = unmet::list();
    let lines = match fs::read_to_string(&list) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        lines => lines?,
    };
    fs::remove_file(&list)?;
    if let Some(text) = unmet::closing(&lines) {
        eprint!("\n{text}");
    }
    Ok(())
}
