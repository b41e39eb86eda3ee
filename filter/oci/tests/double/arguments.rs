//! The meaning of arguments, and standard output without a reader.

use std::io;
use std::process::{Command, Stdio};

use mesh::Scratch;

use crate::command::{Result, done, oci, refused};
use crate::content::{Content, tagged};
use crate::registry::Strict;
use crate::server::{Response, Server};

/// Runs a command that fails, with a proxy for all other machines. Checks that the proxy receives no
/// request.
fn local(arguments: [&str; 2]) -> Result<String> {
    let proxy = Server::start(|_| Response::new(403))?;
    let address = format!("http://{}", proxy.address());
    let text = refused(oci(arguments).env("HTTPS_PROXY", address))?;
    assert!(proxy.requests().is_empty(), "{text}");
    Ok(text)
}

#[test]
fn a_missing_folder_is_not_requested_from_a_registry() -> Result {
    for folder in [
        "nonexistent-folder",
        "nonexistent/oci/layout",
        "nonexistent/layout",
        "./nonexistent:1",
        "/nonexistent/layout",
        "nonexistent.d/",
    ] {
        let text = local(["inspect", folder])?;
        let expected = format!("error: there is no folder {folder}, and a reference to an image");
        assert!(text.starts_with(&expected), "{text}");
    }
    Ok(())
}

#[test]
fn a_file_is_not_a_layout() -> Result {
    let file = env!("CARGO_BIN_EXE_oci");
    let text = local(["inspect", file])?;
    assert!(text.contains("it is a file instead of a folder"), "{text}");
    Ok(())
}

/// A path can look like a reference: the message then names both.
#[test]
fn a_path_that_is_read_as_an_image_is_reported() -> Result {
    let registry = Strict::default();
    let server = Server::start(move |request| registry.answer(request))?;
    let address = server.address();
    let text = refused(&mut oci(["inspect", &format!("{address}/x")]))?;
    let expected = format!(
        "does not exist: the registry has no such repository, or no such tag or digest in it. There is no folder {address}/x: it was read as an image of the registry {address}"
    );
    assert!(text.contains(&expected), "{text}");
    let text = refused(&mut oci(["inspect", &format!("{address}/x:1")]))?;
    assert!(!text.contains("folder"), "{text}");
    Ok(())
}

#[test]
fn capitals_in_a_name_are_reported() -> Result {
    let scratch = Scratch::new("oci-capitals")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let layout = content.layout(scratch.path(), &[tagged(image, "1")])?;
    for (reference, part) in [
        ("NAME/x", "NAME/x"),
        ("ghcr.io/Me/x:1", "Me/x"),
        ("localhost:1/X", "X"),
    ] {
        let proxy = Server::start(|_| Response::new(403))?;
        let mut command = oci(["push", reference, "--layout", &layout]);
        let text = refused(command.env("HTTPS_PROXY", format!("http://{}", proxy.address())))?;
        assert!(
            text.contains(&format!("{part} has capital letters")),
            "{text}"
        );
        assert!(proxy.requests().is_empty());
    }
    Ok(())
}

/// A pipe whose reader is closed, as with `| head`.
fn closed() -> io::Result<Stdio> {
    let (_, writer) = io::pipe()?;
    Ok(writer.into())
}

#[test]
fn output_without_a_reader_is_not_a_failure() -> Result {
    let scratch = Scratch::new("oci-pipe")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let layout = content.layout(scratch.path(), &[tagged(image, "1")])?;
    let registry = Strict::default();
    let server = Server::start(move |request| registry.answer(request))?;
    let reference = format!("{}/x:1", server.address());
    let ends = |command: &mut Command| {
        let output = command.stdout(closed()?).stderr(Stdio::piped()).output()?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), &*text), (Some(0), ""));
        Ok::<_, io::Error>(())
    };
    ends(&mut oci(["inspect", &layout]))?;
    ends(&mut oci(["inspect", "--json", &layout]))?;
    ends(&mut oci(["push", &reference, "--layout", &layout]))?;
    ends(&mut oci(["--help"]))?;
    // A failure is still a failure.
    let mut failing = oci(["inspect", "nonexistent-folder"]);
    let status = failing.stdout(closed()?).stderr(closed()?).status()?;
    assert_eq!(status.code(), Some(2));
    Ok(())
}

#[test]
fn output_that_cannot_be_written_is_a_failure() -> Result {
    let scratch = Scratch::new("oci-full")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let layout = content.layout(scratch.path(), &[tagged(image, "1")])?;
    let full = std::fs::File::options().write(true).open("/dev/full")?;
    let output = oci(["inspect", &layout])
        .stdout(full)
        .stderr(Stdio::piped())
        .output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(
        text.starts_with("error: cannot write to standard output"),
        "{text}"
    );
    Ok(())
}

#[test]
fn the_help_describes_the_meaning_of_an_argument() -> Result {
    let text = done(&mut oci(["inspect", "--help"]))?;
    assert!(
        text.contains("An argument that is a folder is a layout"),
        "{text}"
    );
    Ok(())
}
