//! The meaning of arguments, and output without a reader.

use std::io;
use std::process::{Command, Stdio};

use mesh::Scratch;

use crate::command::{Result, done, oci, refused};
use crate::content::{Content, tagged};
use crate::registry::Strict;
use crate::server::{Response, Server};

/// Runs with a proxy for all other machines, which must get no request.
fn alone(arguments: [&str; 2]) -> Result<String> {
    let proxy = Server::start(|_| Response::new(403))?;
    let address = format!("http://{}", proxy.address());
    let said = refused(oci(arguments).env("HTTPS_PROXY", address))?;
    assert!(proxy.asked().is_empty(), "{said}");
    Ok(said)
}

#[test]
fn a_folder_that_is_not_there_is_looked_for_nowhere_else() -> Result {
    for folder in [
        "nonexistent-folder",
        "nonexistent/oci/layout",
        "nonexistent/layout",
        "./nonexistent:1",
        "/nonexistent/layout",
        "nonexistent.d/",
    ] {
        let said = alone(["inspect", folder])?;
        let expected = format!("error: there is no folder {folder}, and a reference to an image");
        assert!(said.starts_with(&expected), "{said}");
    }
    Ok(())
}

#[test]
fn a_file_is_no_layout() -> Result {
    let file = env!("CARGO_BIN_EXE_oci");
    let said = alone(["inspect", file])?;
    assert!(said.contains("it is a file instead of a folder"), "{said}");
    Ok(())
}

/// A path can look like a reference: then both are expected.
#[test]
fn what_is_taken_for_an_image_without_a_tag_is_reported() -> Result {
    let registry = Strict::default();
    let server = Server::start(move |request| registry.answer(request))?;
    let address = server.address();
    let said = refused(&mut oci(["inspect", &format!("{address}/x")]))?;
    let expected = format!(
        "does not exist: the registry has no such repository, or no such tag or digest in it. There is no folder {address}/x: it was read as an image of the registry {address}"
    );
    assert!(said.contains(&expected), "{said}");
    let said = refused(&mut oci(["inspect", &format!("{address}/x:1")]))?;
    assert!(!said.contains("folder"), "{said}");
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
        let said = refused(command.env("HTTPS_PROXY", format!("http://{}", proxy.address())))?;
        assert!(
            said.contains(&format!("{part} has capital letters")),
            "{said}"
        );
        assert!(proxy.asked().is_empty());
    }
    Ok(())
}

/// A pipe whose reader has gone, as behind `| head`.
fn nobody() -> io::Result<Stdio> {
    let (_, writer) = io::pipe()?;
    Ok(writer.into())
}

#[test]
fn output_that_nobody_reads_is_no_failure() -> Result {
    let scratch = Scratch::new("oci-pipe")?;
    let mut content = Content::default();
    let image = content.good("{}");
    let layout = content.layout(scratch.path(), &[tagged(image, "1")])?;
    let registry = Strict::default();
    let server = Server::start(move |request| registry.answer(request))?;
    let reference = format!("{}/x:1", server.address());
    let ends = |command: &mut Command| {
        let output = command.stdout(nobody()?).stderr(Stdio::piped()).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((output.status.code(), &*said), (Some(0), ""));
        Ok::<_, io::Error>(())
    };
    ends(&mut oci(["inspect", &layout]))?;
    ends(&mut oci(["inspect", "--json", &layout]))?;
    ends(&mut oci(["push", &reference, "--layout", &layout]))?;
    ends(&mut oci(["--help"]))?;
    // A failure stays one.
    let mut failing = oci(["inspect", "nonexistent-folder"]);
    let status = failing.stdout(nobody()?).stderr(nobody()?).status()?;
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
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.starts_with("error: cannot write to standard output"),
        "{said}"
    );
    Ok(())
}

#[test]
fn the_help_says_what_an_argument_is_taken_for() -> Result {
    let said = done(&mut oci(["inspect", "--help"]))?;
    assert!(
        said.contains("An argument that is a folder is a layout"),
        "{said}"
    );
    Ok(())
}
