//! The command under test.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

pub(crate) type Result<T = (), E = Box<dyn std::error::Error>> = std::result::Result<T, E>;

/// The command, without a login.
pub(crate) fn oci<const N: usize>(arguments: [&str; N]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oci"));
    command
        .args(arguments)
        .env("DOCKER_CONFIG", "/nonexistent")
        .stdin(Stdio::null());
    command
}

/// Runs the command and returns its output.
pub(crate) fn done(command: &mut Command) -> Result<String> {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output()?;
    let errors = String::from_utf8(stderr)?;
    assert!(status.success(), "{status}: {errors}");
    Ok(String::from_utf8(stdout)?)
}

/// Runs the command, checks that it fails as documented, and returns its message.
pub(crate) fn refused(command: &mut Command) -> Result<String> {
    let output = command.output()?;
    let errors = String::from_utf8(output.stderr)?;
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.starts_with("error: "), "{errors}");
    assert!(output.stdout.is_empty(), "{:?}", output.stdout);
    Ok(errors)
}

/// Runs the command with this standard input.
pub(crate) fn fed(command: &mut Command, input: &str) -> Result<Output> {
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    let mut stdin = child.stdin.take().ok_or("no standard input")?;
    stdin.write_all(input.as_bytes())?;
    drop(stdin);
    Ok(child.wait_with_output()?)
}

/// The output of `cargo oci inspect --json` for an image or a layout.
pub(crate) fn inspect(image: &str) -> Result<Vec<Value>> {
    let text = done(&mut oci(["inspect", "--json", image]))?;
    Ok(serde_json::from_str(&text)?)
}
