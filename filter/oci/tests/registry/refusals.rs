//! Errors of registries and their messages.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use mesh::Scratch;
use mesh::registry::Access;
use serde_json::json;

use crate::agent;
use crate::fixture::{
    PLAIN, REPOSITORY, Result, done, fed, inspect, name, oci, push, refused, registry,
};

/// The user `someone` with the password `s3cret`.
const HTPASSWD: &str = "someone:$2b$04$nXfNspGlFSKCAO6mugFqB.hYRcqGjIzvFSnTWsFEoItPG78G.QXD2\n";

#[test]
fn a_corrupted_layer_and_a_corrupted_manifest_are_reported() -> Result {
    let scratch = Scratch::new("oci-corrupted")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    for (image, digest) in push(&PLAIN, &name(&registry, ":1"))? {
        let manifest = fs::read_to_string(registry.file(&digest))?;
        let layers: serde_json::Value = serde_json::from_str(&manifest)?;
        let last = layers["layers"].as_array().and_then(|layers| layers.last());
        let layer = last
            .and_then(|layer| layer["digest"].as_str())
            .ok_or("no layer")?;
        let good = fs::read(registry.file(layer))?;
        let mut bad = good.clone();
        bad[good.len() / 2] ^= 1;
        fs::write(registry.file(layer), &bad)?;
        let text = refused(&mut oci(["inspect", &image]))?;
        assert!(
            text.contains(layer) && text.contains("is corrupted"),
            "{text}"
        );
        assert!(agent::fetch(&image, None).is_err());
        fs::write(registry.file(layer), &good)?;
        inspect(&image)?;

        let bad = manifest.replace("Apache-2.0", "Apache-2.1");
        fs::write(registry.file(&digest), bad)?;
        let by_digest = name(&registry, &format!("@{digest}"));
        let text = refused(&mut oci(["inspect", &by_digest]))?;
        assert!(
            text.contains(&digest) && text.contains("is corrupted"),
            "{text}"
        );
        fs::write(registry.file(&digest), manifest)?;
        inspect(&by_digest)?;
    }
    Ok(())
}

#[test]
fn a_corrupted_layout_is_not_pushed() -> Result {
    let scratch = Scratch::new("oci-bad-layout")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let copy = scratch.folder("copy")?;
    let mut cp = std::process::Command::new("cp");
    done(cp.arg("-r").arg(PLAIN.join("layout")).arg(&copy))?;
    let digest =
        inspect(copy.join("layout").to_str().ok_or("no UTF-8")?)?[0]["manifest_digest"].clone();
    let digest = digest
        .as_str()
        .ok_or("no digest")?
        .trim_start_matches("sha256:");
    fs::write(copy.join("layout/blobs/sha256").join(digest), b"{}")?;
    let mut command = oci(["push", &name(&registry, ":1"), "--layout"]);
    let text = refused(command.arg(copy.join("layout")))?;
    assert!(
        text.contains(digest) && text.contains("is corrupted"),
        "{text}"
    );
    let text = refused(&mut oci(["inspect", &name(&registry, ":1")]))?;
    assert!(text.contains("does not exist"), "{text}");
    Ok(())
}

#[test]
fn an_unreachable_registry_is_reported() -> Result {
    // A port without a server.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = taken.local_addr()?;
    drop(taken);
    let image = format!("{address}/{REPOSITORY}:1");
    let mut command = oci(["push", &image, "--layout"]);
    let pushing = refused(command.arg(PLAIN.join("layout")))?;
    let reading = refused(&mut oci(["inspect", &image]))?;
    for text in [pushing, reading] {
        let expected = format!("the registry {address} cannot be reached");
        assert!(text.contains(&expected), "{text}");
    }
    Ok(())
}

#[test]
fn a_registry_with_a_password_requires_it() -> Result {
    let scratch = Scratch::new("oci-password")?;
    let Some(registry) = registry(&scratch, Access::Htpasswd(HTPASSWD))? else {
        return Ok(());
    };
    let image = name(&registry, ":1");
    let layout = PLAIN.join("layout");
    let expected = format!("the registry {} does not permit", registry.address());

    let mut command = oci(["push", &image, "--layout"]);
    let anonymous = refused(command.arg(&layout))?;
    assert!(
        anonymous.contains(&format!("{expected} an anonymous user")),
        "{anonymous}"
    );

    let with = |password: &str| {
        let mut command = oci(["push", &image, "--username", "someone", "--password-stdin"]);
        fed(command.arg("--layout").arg(&layout), password)
    };
    let wrong = with("guess")?;
    let text = String::from_utf8(wrong.stderr)?;
    assert_eq!(wrong.status.code(), Some(2), "{text}");
    assert!(text.contains(&format!("{expected} someone")), "{text}");
    let right = with("s3cret\n")?;
    assert!(
        right.status.success(),
        "{}",
        String::from_utf8(right.stderr)?
    );

    let text = refused(&mut oci(["inspect", &image]))?;
    assert!(
        text.contains(&expected) && text.contains("--username"),
        "{text}"
    );

    // The file of `docker login`.
    let config = json!({ "auths": {
        registry.address().to_string(): { "auth": "c29tZW9uZTpzM2NyZXQ=" },
    } });
    fs::write(scratch.path().join("config.json"), config.to_string())?;
    done(oci(["inspect", &image]).env("DOCKER_CONFIG", scratch.path()))?;
    fs::write(scratch.path().join("config.json"), "{")?;
    let text = refused(oci(["inspect", &image]).env("DOCKER_CONFIG", scratch.path()))?;
    assert!(text.contains("docker configuration"), "{text}");
    Ok(())
}

#[test]
fn a_missing_image_is_reported() -> Result {
    let scratch = Scratch::new("oci-missing")?;
    let Some(registry) = registry(&scratch, Access::Open)? else {
        return Ok(());
    };
    let missing = |image: &str| -> Result {
        let text = refused(&mut oci(["inspect", image]))?;
        assert!(text.contains(&format!("{image} does not exist")), "{text}");
        Ok(())
    };
    missing(&name(&registry, ":1"))?;
    push(&PLAIN, &name(&registry, ":1"))?;
    missing(&name(&registry, ":2"))?;
    missing(&name(&registry, &format!("@sha256:{}", "0".repeat(64))))?;
    missing(&format!("{}/another/repository:1", registry.address()))
}

#[test]
fn a_push_to_a_digest_is_rejected() -> Result {
    let reference = format!("localhost:1/{REPOSITORY}@sha256:{}", "0".repeat(64));
    let mut command = oci(["push", &reference, "--layout"]);
    let text = refused(command.arg(PLAIN.join("layout")))?;
    assert!(
        text.contains("is not an image reference: a digest"),
        "{text}"
    );
    Ok(())
}

#[test]
fn a_folder_that_is_not_a_layout_is_reported() -> Result {
    let scratch = Scratch::new("oci-no-layout")?;
    let dir = scratch.path().to_str().ok_or("no UTF-8")?;
    for arguments in [
        ["inspect", dir, "--json"],
        ["push", "localhost:1/x", "--layout"],
    ] {
        let mut command = oci(arguments);
        if arguments[0] == "push" {
            command.arg(dir);
        }
        let text = refused(&mut command)?;
        assert!(
            text.contains("is not an OCI image layout") && text.contains("cargo oci build"),
            "{text}"
        );
    }
    Ok(())
}
