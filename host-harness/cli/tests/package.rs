//! The packages for the registry: complete, and in need of no package that is not published.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::path::Path;
use std::process::Command;

const PACKAGES: [&str; 5] = [
    "wasm-target",
    "host-harness",
    "envoy-process",
    "envoy-stage",
    "harness-cli",
];

fn cargo(arguments: &[&str]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(env!("CARGO"));
    command
        .arg("package")
        .args(["--offline", "--allow-dirty"])
        .args(arguments)
        .current_dir(folder);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// `.ci/run` compiles them too.
#[test]
fn the_crates_can_be_packaged_together() {
    let folder = tempfile::tempdir().unwrap();
    let target = folder.path().display().to_string();
    let mut arguments = vec!["--no-verify", "--target-dir", &target];
    arguments.extend(PACKAGES.iter().flat_map(|package| ["--package", package]));
    cargo(&arguments);
    for package in PACKAGES {
        let file = format!("package/{package}-{}.crate", env!("CARGO_PKG_VERSION"));
        assert!(folder.path().join(&file).is_file(), "{file}");
    }
}

#[test]
fn the_packages_have_what_is_not_code() {
    for (package, files) in [
        (
            "host-harness",
            &["README.md", "src/manual.md", "profiles/1.40.yaml"][..],
        ),
        (
            "harness-cli",
            &[
                "README.md",
                "template/Cargo.toml.template",
                "template/gitignore",
                "template/src/lib.rs",
            ],
        ),
    ] {
        let list = cargo(&["--list", "--package", package]);
        for file in files {
            assert!(
                list.lines().any(|line| line == *file),
                "{package} lacks {file}:\n{list}"
            );
        }
    }
}
