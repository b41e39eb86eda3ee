//! The folder that `harness new` makes, built and tested outside of this repository.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

mod program;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use program::harness;

/// The workspace, which has the crates that are not published.
fn workspace() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.ancestors().nth(2).unwrap()
}

/// A folder that stands for the registry: cargo takes the unpublished crate from the workspace.
fn outside() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let root = workspace().display();
    let config =
        format!("[patch.crates-io]\nhost-harness = {{ path = \"{root}/host-harness\" }}\n");
    fs::create_dir(folder.path().join(".cargo")).unwrap();
    fs::write(folder.path().join(".cargo/config.toml"), config).unwrap();
    folder
}

/// Runs the tests of the package. The workspace's lock file has the versions that are downloaded.
fn test(package: &Path) -> Output {
    let lock = package.join("Cargo.lock");
    if !lock.exists() {
        fs::copy(workspace().join("Cargo.lock"), lock).unwrap();
    }
    let mut command = Command::new(env!("CARGO"));
    command.args(["test", "--offline"]).current_dir(package);
    // Outside of the repository's own artefacts: the dependencies have other features. They are
    // compiled in the first run only.
    let target: PathBuf = workspace().join("target/template");
    command
        .env("CARGO_TARGET_DIR", target)
        .env("CARGO_PROFILE_DEV_DEBUG", "false");
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr];
    texts
        .map(|text| String::from_utf8_lossy(text).into_owned())
        .concat()
}

#[test]
fn the_new_filter_passes_its_test_and_a_broken_one_does_not() {
    let outside = outside();
    let made = harness(outside.path(), &["new", "my-filter"]);
    assert!(made.status.success(), "{}", text(&made));
    let package = outside.path().join("my-filter");
    let passes = test(&package);
    assert!(passes.status.success(), "{}", text(&passes));
    assert!(
        text(&passes).contains("test every_scenario_passes ... ok"),
        "{}",
        text(&passes)
    );

    let code = package.join("src/lib.rs");
    let filter = fs::read_to_string(&code).unwrap();
    let broken = filter.replace("self.bytes += size as u64", "self.bytes += 1");
    assert_ne!(filter, broken);
    fs::write(&code, broken).unwrap();
    let fails = test(&package);
    assert!(!fails.status.success(), "{}", text(&fails));
    assert!(
        text(&fails).contains("the client sent 3 bytes"),
        "{}",
        text(&fails)
    );
}

#[test]
fn no_file_names_this_repository() {
    let outside = outside();
    harness(outside.path(), &["new", "my-filter"]);
    let package = outside.path().join("my-filter");
    for file in [
        "Cargo.toml",
        "README.md",
        ".github/workflows/test.yml",
        "src/lib.rs",
        ".gitignore",
        "tests/scenarios.rs",
        "scenarios/counts.yaml",
    ] {
        let text = fs::read_to_string(package.join(file)).unwrap();
        for word in [
            "path =",
            "{{name",
            "{{file",
            "{{version",
            "tcp-peer-stats",
            &workspace().display().to_string(),
        ] {
            assert!(!text.contains(word), "{file} has {word:?}");
        }
    }
}

#[test]
fn a_folder_in_use_or_a_name_that_cargo_rejects_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir(folder.path().join("used")).unwrap();
    fs::write(folder.path().join("used/file"), "").unwrap();
    for (name, reason) in [
        ("used", "used exists and is not empty: name another folder"),
        ("1st", "is no name of a cargo package"),
        ("my filter", "is no name of a cargo package"),
    ] {
        let made = harness(folder.path(), &["new", name]);
        assert_eq!(made.status.code(), Some(2), "{}", text(&made));
        assert!(text(&made).contains(reason), "{}", text(&made));
    }
    let used = fs::read_dir(folder.path().join("used")).unwrap().count();
    assert_eq!(used, 1, "nothing is written to it");
    assert!(!folder.path().join("1st").exists());
}
