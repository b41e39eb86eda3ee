//! Credential helpers: <https://github.com/docker/docker-credential-helpers>.

use std::io::{self, Write};
use std::process::{Command, Output, Stdio};

use serde::Deserialize;

use crate::registry::credential::Credential;

/// The output of a helper that has no login for a registry. It is the same text in all helpers.
const NOT_FOUND: &str = "credentials not found in native keychain";
/// The user name of a login by identity token.
const TOKEN: &str = "<token>";

/// A helper's output.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

/// Runs a helper for the login of a registry.
///
/// # Errors
/// A clause for a message: the helper is not installed, failed, or returned something else than a
/// login.
pub(super) fn ask(name: &str, registry: &str) -> Result<Credential, String> {
    let program = format!("docker-credential-{name}");
    let output = run(&program, registry).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{program} is not installed"),
        _ => format!("{program} cannot be run ({error})"),
    })?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        let answer: Answer = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{program} returned no login ({error})"))?;
        return Ok(match answer {
            Answer { secret, .. } if secret.is_empty() => Credential::None,
            Answer { username, secret } if username == TOKEN => Credential::Identity(secret),
            Answer { username, secret } => Credential::Password {
                username,
                password: secret,
            },
        });
    }
    if said.trim() == NOT_FOUND {
        return Ok(Credential::None);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut lines = said.lines().chain(errors.lines());
    let first = lines.find(|line| !line.trim().is_empty());
    let reason = first.map_or_else(|| output.status.to_string(), |line| line.trim().to_owned());
    Err(format!("{program} failed ({reason})"))
}

fn run(program: &str, registry: &str) -> io::Result<Output> {
    let mut command = Command::new(program);
    command.arg("get").stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        // A helper may exit without reading. Its output has the reason.
        let _ = stdin.write_all(registry.as_bytes());
    }
    child.wait_with_output()
}
