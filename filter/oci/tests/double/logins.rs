//! The sources of a login, and their order.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output};

use mesh::Scratch;

use crate::command::{Result, fed, oci, refused};
use crate::content::Content;
use crate::registry::Strict;
use crate::server::{Response, Server};

/// A folder with `config.json` and helpers that record their input.
struct Home(Scratch);

impl Home {
    fn new(config: &str) -> Result<Self> {
        let scratch = Scratch::new("oci-login")?;
        fs::write(scratch.path().join("config.json"), config)?;
        Ok(Self(scratch))
    }

    /// Adds the helper `docker-credential-NAME`.
    fn helper(self, name: &str, script: &str) -> Result<Self> {
        let file = self.0.path().join(format!("docker-credential-{name}"));
        let input = self.0.path().join("input");
        let text = format!(
            "#!/bin/sh\ncat >>{0}\necho >>{0}\n{script}\n",
            input.display()
        );
        fs::write(&file, text)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755))?;
        Ok(self)
    }

    fn input(&self) -> String {
        fs::read_to_string(self.0.path().join("input")).unwrap_or_default()
    }

    fn inspect(&self, image: &str) -> Command {
        let mut command = oci(["inspect", image]);
        let path = format!("{}:/usr/bin:/bin", self.0.path().display());
        command
            .env("DOCKER_CONFIG", self.0.path())
            .env("PATH", path);
        command
    }
}

const NOTHING: &str = r#"echo "credentials not found in native keychain"; exit 1"#;
const SECRET: &str = r#"echo '{"ServerURL":"x","Username":"me","Secret":"s3cret"}'"#;
const BASIC: &str = "Basic bWU6czNjcmV0";

/// A registry that requires the password of `me`.
fn guarded() -> Result<Server> {
    let mut content = Content::default();
    let image = content.good("{}");
    let registry = Strict::new(&content, &[("1", &image)]);
    Server::start(move |request| match request.header("Authorization") {
        Some(BASIC) => registry.answer(request),
        _ => Response::new(401).with("WWW-Authenticate", r#"Basic realm="x""#),
    })
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_helper_or_a_file_without_a_login_is_not_an_error() -> Result {
    for config in [
        r"{}",
        "",
        r#"{"auths":null}"#,
        r#"{"credsStore":""}"#,
        r#"{"credsStore":"nothing"}"#,
        r#"{"credHelpers":{"ADDRESS":"nothing"}}"#,
        r#"{"credHelpers":{"ADDRESS":""},"credsStore":"fails"}"#,
        r#"{"credHelpers":{"other.example.com":"fails"}}"#,
        r#"{"auths":{"ADDRESS":{}},"credsStore":"nothing"}"#,
        r#"{"auths":{"ADDRESS":{}}}"#,
        r#"{"auths":{"ADDRESS":{"auth":""}}}"#,
    ] {
        let server = guarded()?;
        let address = server.address().to_string();
        let home = Home::new(&config.replace("ADDRESS", &address))?
            .helper("nothing", NOTHING)?
            .helper("fails", "exit 3")?;
        let text = refused(&mut home.inspect(&format!("{address}/x:1")))?;
        let expected = format!("error: the registry {address} does not permit an anonymous user");
        assert!(text.starts_with(&expected), "{config}: {text}");
        let is_called = config.contains("nothing");
        assert_eq!(
            home.input() == format!("{address}\n"),
            is_called,
            "{config}"
        );
    }
    Ok(())
}

#[test]
fn a_login_is_found_in_each_source() -> Result {
    for config in [
        r#"{"credsStore":"secret"}"#,
        r#"{"credHelpers":{"ADDRESS":"secret"},"credsStore":"nothing"}"#,
        r#"{"auths":{"ADDRESS":{"auth":"bWU6czNjcmV0"}}}"#,
        r#"{"auths":{"http://ADDRESS/v2/":{"auth":"bWU6czNjcmV0"}}}"#,
        r#"{"auths":{"ADDRESS":{"username":"me","password":"s3cret"}}}"#,
        r#"{"auths":{"ADDRESS":{"auth":"bWU6czNjcmV0"}},"credsStore":"nothing"}"#,
        r#"{"auths":{"ADDRESS":{}},"credsStore":"secret"}"#,
    ] {
        let server = guarded()?;
        let address = server.address().to_string();
        let home = Home::new(&config.replace("ADDRESS", &address))?
            .helper("nothing", NOTHING)?
            .helper("secret", SECRET)?;
        let output = home.inspect(&format!("{address}/x:1")).output()?;
        assert!(output.status.success(), "{config}: {}", stderr(&output));
        assert_eq!(stderr(&output), "", "{config}");
    }
    Ok(())
}

/// The warning is one sentence, and the requests have no login.
#[test]
fn a_helper_that_fails_is_reported() -> Result {
    for (name, script, expected) in [
        (
            "missing",
            None,
            "docker-credential-missing is not installed",
        ),
        (
            "locked",
            Some("echo 'the keychain is locked' >&2; exit 1"),
            "docker-credential-locked failed (the keychain is locked)",
        ),
        (
            "silent",
            Some("exit 3"),
            "docker-credential-silent failed (exit status: 3)",
        ),
        (
            "odd",
            Some("echo hello"),
            "docker-credential-odd returned no login (",
        ),
    ] {
        let config = format!(r#"{{"credsStore":"{name}"}}"#);
        let mut home = Home::new(&config)?;
        if let Some(script) = script {
            home = home.helper(name, script)?;
        }
        let registry = Strict::default();
        let server = Server::start(move |request| registry.answer(request))?;
        let output = home
            .inspect(&format!("{}/x:1", server.address()))
            .output()?;
        let text = stderr(&output);
        let mut lines = text.lines();
        let warning = lines.next().unwrap_or_default();
        assert!(
            warning.starts_with(&format!("warning: {expected}")),
            "{text}"
        );
        assert!(warning.ends_with("continuing without a login"), "{text}");
        assert!(
            lines.next().unwrap_or_default().contains("does not exist"),
            "{text}"
        );
        assert_eq!(lines.next(), None);
        assert_eq!(output.status.code(), Some(2));
    }
    Ok(())
}

/// No request leaves this machine: the proxy rejects it.
#[test]
fn the_key_of_docker_hub_is_that_of_docker() -> Result {
    for (image, config) in [
        ("docker.io/me/x:1", r#"{"credsStore":"nothing"}"#),
        ("me/x:1", r#"{"credsStore":"nothing"}"#),
        ("x:1", r#"{"credsStore":"nothing"}"#),
        ("index.docker.io/me/x:1", r#"{"credsStore":"nothing"}"#),
        ("registry-1.docker.io/me/x:1", r#"{"credsStore":"nothing"}"#),
        (
            "me/x:1",
            r#"{"credHelpers":{"https://index.docker.io/v1/":"nothing"}}"#,
        ),
        ("me/x:1", r#"{"credHelpers":{"docker.io":"nothing"}}"#),
    ] {
        let proxy = Server::start(|_| Response::new(403))?;
        let home = Home::new(config)?.helper("nothing", NOTHING)?;
        let address = format!("http://{}", proxy.address());
        let text = refused(home.inspect(image).env("HTTPS_PROXY", address))?;
        assert!(text.contains("docker.io cannot be reached"), "{text}");
        assert_eq!(home.input(), "https://index.docker.io/v1/\n", "{image}");
    }
    Ok(())
}

#[test]
fn a_malformed_login_is_reported() -> Result {
    let server = guarded()?;
    let address = server.address().to_string();
    for (config, expected) in [
        (r"{", "config.json: EOF while parsing"),
        (r#"{"auths":[]}"#, "config.json: invalid type"),
        (
            r#"{"auths":{"ADDRESS":{"auth":"%"}}}"#,
            "`auth` is not the Base64",
        ),
        (
            r#"{"auths":{"ADDRESS":{"auth":"bWU="}}}"#,
            "`auth` is not the Base64",
        ),
    ] {
        let home = Home::new(&config.replace("ADDRESS", &address))?;
        let text = refused(&mut home.inspect(&format!("{address}/x:1")))?;
        let start = format!("error: the docker configuration's credentials for {address}");
        assert!(
            text.starts_with(&start) && text.contains(expected),
            "{text}"
        );
    }
    Ok(())
}

#[test]
fn a_password_of_the_command_line_has_priority() -> Result {
    let server = guarded()?;
    let image = format!("{}/x:1", server.address());
    let with = |password: &str| {
        let home = Home::new(r#"{"credsStore":"fails"}"#)?.helper("fails", "exit 3")?;
        let mut command = home.inspect(&image);
        let output = fed(
            command.args(["--username", "me", "--password-stdin"]),
            password,
        )?;
        assert_eq!(home.input(), "");
        Ok::<_, Box<dyn std::error::Error>>(output)
    };
    let right = with("s3cret\n")?;
    assert!(right.status.success(), "{}", stderr(&right));
    let wrong = with("guess")?;
    assert_eq!(wrong.status.code(), Some(2));
    assert!(
        stderr(&wrong).contains("does not permit me this access"),
        "{}",
        stderr(&wrong)
    );
    Ok(())
}
