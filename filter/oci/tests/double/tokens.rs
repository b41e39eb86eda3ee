//! Registries that require a token, and their token services.

use std::fs;
use std::process::Command;

use mesh::Scratch;

use crate::command::{Result, done, fed, oci, refused};
use crate::content::{Content, tagged};
use crate::registry::Strict;
use crate::server::{Request, Response, Server};

const BASIC: &str = "Basic bWU6czNjcmV0";

/// A registry that is its own token service. A function returns the responses of the service.
fn guarded(service: impl Fn(&Request) -> Response + Send + Sync + 'static) -> Result<Server> {
    let mut content = Content::default();
    let image = content.good("{}");
    let registry = Strict::new(&content, &[("1", &image)]);
    Server::start(move |request| {
        if request.path() == "/token" {
            return service(request);
        }
        if request.header("Authorization") == Some("Bearer granted") {
            return registry.answer(request);
        }
        let host = request.header("Host").unwrap_or_default();
        let challenge = format!(r#"Bearer realm="http://{host}/token",service="the registry""#);
        Response::new(401).with("WWW-Authenticate", challenge)
    })
}

/// Inspects the registry's image with this `config.json`. `ADDRESS` is replaced by the registry's
/// address.
fn inspect(server: &Server, scratch: &Scratch, config: &str) -> Result<Command> {
    let address = server.address().to_string();
    let text = config.replace("ADDRESS", &address);
    fs::write(scratch.path().join("config.json"), text)?;
    let mut command = oci(["inspect", &format!("{address}/x:1")]);
    command.env("DOCKER_CONFIG", scratch.path());
    Ok(command)
}

fn token_requests(server: &Server) -> Vec<Request> {
    let requests = server.requests().into_iter();
    requests
        .filter(|request| request.path() == "/token")
        .collect()
}

const PULL: &str = "/token?scope=repository%3Ax%3Apull&service=the+registry";

#[test]
fn a_token_is_requested_once_and_used() -> Result {
    let scratch = Scratch::new("oci-token")?;
    let login = r#"{"auths":{"ADDRESS":{"auth":"bWU6czNjcmV0"}}}"#;
    for (config, authorization) in [("{}", None), (login, Some(BASIC))] {
        for answer in [
            r#"{"token":"granted"}"#,
            r#"{"access_token":"granted","expires_in":300}"#,
            r#"{"token":"","access_token":"granted"}"#,
            r#"{"token":"granted","expires_in":18446744073709551615}"#,
            r#"{"token":"granted","expires_in":"soon"}"#,
            r#"{"token":"granted","access_token":"","expires_in":null}"#,
        ] {
            let server = guarded(move |_| Response::new(200).body(answer))?;
            done(&mut inspect(&server, &scratch, config)?)?;
            let requests = token_requests(&server);
            assert_eq!(requests.len(), 1, "{answer}");
            assert_eq!((&*requests[0].method, &*requests[0].target), ("GET", PULL));
            assert_eq!(requests[0].header("Authorization"), authorization);
        }
    }
    Ok(())
}

/// The token expires before its second use.
#[test]
fn an_expired_token_is_renewed() -> Result {
    let scratch = Scratch::new("oci-token-end")?;
    let server = guarded(|_| Response::new(200).body(r#"{"token":"granted","expires_in":1}"#))?;
    done(&mut inspect(&server, &scratch, "{}")?)?;
    // A manifest, a layer, and two requests for companions of the image.
    assert_eq!(token_requests(&server).len(), 4);
    Ok(())
}

#[test]
fn an_identity_token_is_exchanged() -> Result {
    let scratch = Scratch::new("oci-identity")?;
    let helper = scratch.path().join("docker-credential-identity");
    let script = r#"echo '{"ServerURL":"x","Username":"<token>","Secret":"my identity"}'"#;
    fs::write(&helper, format!("#!/bin/sh\n{script}\n"))?;
    done(Command::new("chmod").arg("+x").arg(&helper))?;
    for config in [
        r#"{"auths":{"ADDRESS":{"identitytoken":"my identity"}}}"#,
        r#"{"auths":{"ADDRESS":{"auth":"MDAwMDo=","identitytoken":"my identity"}}}"#,
        r#"{"credsStore":"identity"}"#,
    ] {
        let server = guarded(|request| match request.method.as_str() {
            "POST" => Response::new(200).body(r#"{"access_token":"granted"}"#),
            _ => Response::new(401),
        })?;
        let mut command = inspect(&server, &scratch, config)?;
        let path = format!("{}:/usr/bin:/bin", scratch.path().display());
        done(command.env("PATH", path))?;
        let requests = token_requests(&server);
        assert_eq!(requests.len(), 1);
        assert_eq!(requests[0].target, "/token");
        assert_eq!(
            String::from_utf8_lossy(&requests[0].body),
            "scope=repository%3Ax%3Apull&service=the+registry&grant_type=refresh_token\
             &client_id=cargo-oci&refresh_token=my+identity"
        );
        assert_eq!(requests[0].header("Authorization"), None);
    }
    Ok(())
}

#[test]
fn a_registry_token_needs_no_service() -> Result {
    let scratch = Scratch::new("oci-registry-token")?;
    let server = guarded(|_| Response::new(500))?;
    let config = r#"{"auths":{"ADDRESS":{"registrytoken":"granted"}}}"#;
    done(&mut inspect(&server, &scratch, config)?)?;
    assert!(token_requests(&server).is_empty());
    Ok(())
}

#[test]
fn a_token_that_is_not_granted_is_reported() -> Result {
    let scratch = Scratch::new("oci-token-refused")?;
    let identity = r#"{"auths":{"ADDRESS":{"identitytoken":"it"}}}"#;
    let password = r#"{"auths":{"ADDRESS":{"auth":"bWU6czNjcmV0"}}}"#;
    for (config, status, body, expected) in [
        ("{}", 401, "", "does not permit an anonymous user"),
        (password, 401, "", "does not permit me this access"),
        (password, 403, "", "does not permit me this access"),
        (identity, 401, "", "does not permit the owner of the token"),
        (
            identity,
            400,
            r#"{"error":"invalid_grant"}"#,
            "does not permit the owner of the token",
        ),
        (
            identity,
            404,
            "",
            "cannot be obtained: the response is 404 Not Found",
        ),
        (
            password,
            500,
            "it is broken",
            "cannot be obtained: the response is 500 Internal Server Error: it is broken",
        ),
        (
            password,
            200,
            "{}",
            "cannot be obtained: its response has no token",
        ),
        (
            password,
            200,
            "hello",
            "cannot be obtained: its response has no token",
        ),
    ] {
        let server = guarded(move |_| Response::new(status).body(body))?;
        let text = refused(&mut inspect(&server, &scratch, config)?)?;
        assert!(text.contains(expected), "{config} {status}: {text}");
    }
    Ok(())
}

/// The registry accepts only tokens with the scope of a push, for all requests of a push.
#[test]
fn pushing_requests_a_token_for_a_push() -> Result {
    let scratch = Scratch::new("oci-token-push")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let layout = content.layout(scratch.path(), &[tagged(image, "1")])?;
    let server = guarded(|request| match request.target.contains("pull%2Cpush") {
        true => Response::new(200).body(r#"{"token":"granted"}"#),
        false => Response::new(401),
    })?;
    let reference = format!("{}/x:2", server.address());
    let mut command = oci(["push", &reference, "--layout", &layout]);
    let output = fed(
        command.args(["--username", "me", "--password-stdin"]),
        "s3cret",
    )?;
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8(output.stderr)?
    );
    let requests = token_requests(&server);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].header("Authorization"), Some(BASIC));
    Ok(())
}

/// The proxy is also the registry on HTTPS. The token service on HTTP receives no request.
#[test]
fn a_registry_on_https_cannot_send_credentials_over_http() -> Result {
    let scratch = Scratch::new("oci-realm")?;
    let pair = rcgen::generate_simple_self_signed(["registry.test".to_owned()])?;
    let (certificate, key) = (pair.cert.pem(), pair.signing_key.serialize_pem());
    let authority = scratch.path().join("ca.pem");
    fs::write(&authority, &certificate)?;
    let service = Server::start(|_| Response::new(200).body(r#"{"token":"granted"}"#))?;
    let plain = format!("http://{}/token", service.address());
    let wants = "error: the registry registry.test requires a token of";
    for (realm, expected) in [
        (
            &*plain,
            format!("{wants} {plain}, which cannot be obtained: it is on plain HTTP"),
        ),
        (
            "ftp://x/token",
            format!("{wants} ftp://x/token, which cannot be obtained: ftp is"),
        ),
        // This token service redirects to plain HTTP.
        (
            "https://registry.test/token",
            "URL scheme is not allowed".to_owned(),
        ),
    ] {
        let (challenge, redirect) = (format!(r#"Bearer realm="{realm}""#), plain.clone());
        let proxy = Server::proxy(&certificate, &key, move |request| match request.path() {
            "/token" => Response::new(307).with("Location", &*redirect),
            _ => Response::new(401).with("WWW-Authenticate", &*challenge),
        })?;
        let mut command = oci(["inspect", "registry.test/x:1", "--username", "me"]);
        command
            .arg("--password-stdin")
            .env("HTTPS_PROXY", format!("http://{}", proxy.address()))
            .env("SSL_CERT_FILE", &authority);
        let output = fed(&mut command, "s3cret")?;
        let text = String::from_utf8(output.stderr)?;
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert!(text.contains(&expected), "{text}");
    }
    assert!(service.requests().is_empty());
    Ok(())
}
