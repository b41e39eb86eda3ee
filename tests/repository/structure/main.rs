//! The structure of the code: the allowed dependencies between files and between packages.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

mod graph;
mod packages;
mod source;
mod tokens;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;

use mesh::workspace;

use graph::Graph;

/// The folders whose crates are checked.
const FOLDERS: [&str; 3] = ["filter", "proto", "host-harness"];

#[test]
fn files_do_not_import_each_other_in_a_cycle() -> Result<(), Box<dyn Error>> {
    let root = workspace::root();
    let mut found = Vec::new();
    for package in packages::read()? {
        for target in &package.roots {
            let path = target.strip_prefix(root)?;
            let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                continue;
            };
            let is_checked = FOLDERS.iter().any(|checked| folder.starts_with(checked));
            if !is_checked {
                continue;
            }
            let graph = Graph::of(&name.to_string_lossy(), &files(&root.join(folder))?);
            for cycle in graph.cycles() {
                found.push(format!("{}: {cycle:?}", folder.display()));
            }
        }
    }
    assert!(
        found.is_empty(),
        "these files import each other:\n{}",
        found.join("\n")
    );
    Ok(())
}

#[test]
fn the_harness_depends_on_no_other_package_of_this_repository() -> Result<(), Box<dyn Error>> {
    let packages = packages::read()?;
    let own = workspace::root().join("host-harness");
    let (inside, outside): (Vec<_>, Vec<_>) = packages
        .iter()
        .partition(|package| package.folder.starts_with(&own));
    assert!(inside.len() > 5 && outside.len() > 5, "{packages:?}");
    let mut found = Vec::new();
    for package in inside {
        for dependency in &package.dependencies {
            let is_foreign = outside.iter().any(|other| other.name == *dependency);
            if is_foreign {
                found.push(format!("{} depends on {dependency}", package.name));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    Ok(())
}

/// Without examples, rustdoc takes about a second for a library.
#[test]
fn cargo_test_starts_rustdoc_for_libraries_with_examples() -> Result<(), Box<dyn Error>> {
    for package in packages::read()? {
        let source = package.folder.join("src");
        if !source.is_dir() {
            continue;
        }
        let files = files(&source)?;
        let has_examples = files.values().any(|text| has_example(text));
        let (name, runs) = (&package.name, package.runs_examples);
        assert_eq!(
            runs, has_examples,
            "{name}: an example needs `doctest`, which is `false` in [lib] without one"
        );
    }
    Ok(())
}

/// Whether a comment has a code block that rustdoc compiles.
fn has_example(text: &str) -> bool {
    let mut fences = text.lines().filter_map(|line| {
        let line = line.trim_start();
        let comment = ["///", "//!"]
            .iter()
            .find_map(|mark| line.strip_prefix(mark))?;
        comment.trim_start().strip_prefix("```")
    });
    let mut is_open = false;
    fences.any(|language| {
        is_open = !is_open;
        is_open && matches!(language, "" | "rust" | "no_run" | "should_panic")
    })
}

/// The Rust files below a folder, by their path from there.
fn files(folder: &Path) -> Result<BTreeMap<String, String>, Box<dyn Error>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(at)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(folder)?.to_string_lossy().into_owned();
                files.insert(name, fs::read_to_string(&path)?);
            }
        }
    }
    Ok(files)
}

/// The cycles of a crate with these files.
fn cycles(files: &[(&str, &str)]) -> Vec<String> {
    let files = files
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
    let graph = Graph::of("lib.rs", &files.collect());
    let cycles = graph.cycles().into_iter();
    cycles
        .map(|cycle| cycle.into_iter().collect::<Vec<_>>().join(" "))
        .collect()
}

#[test]
fn a_cycle_of_imports_is_found() {
    let found = cycles(&[
        ("lib.rs", "mod a; mod b; mod c; mod d;"),
        ("a.rs", "use crate::b::B; pub(crate) struct A(B);"),
        ("b.rs", "pub(crate) struct B; fn f() { super::c::g(); }"),
        (
            "c.rs",
            "use crate::{a::A, d}; pub(crate) fn g() { d::h(); }",
        ),
        ("d.rs", "pub(crate) fn h() {}"),
    ]);
    assert_eq!(found, ["a.rs b.rs c.rs"]);
}

#[test]
fn a_parent_and_a_child_that_use_each_other_are_a_cycle() {
    let parent = "mod child; use child::C; pub(crate) struct P(C);";
    let child = "use super::P; pub(crate) struct C; fn f(p: P) {}";
    let found = cycles(&[
        ("lib.rs", "mod p;"),
        ("p.rs", parent),
        ("p/child.rs", child),
    ]);
    assert_eq!(found, ["p.rs p/child.rs"]);
    let plain = "mod child; pub(crate) struct P; fn f() { child::g(); }";
    let found = cycles(&[
        ("lib.rs", "mod p;"),
        ("p/mod.rs", plain),
        ("p/child.rs", child),
    ]);
    assert_eq!(found, ["p/child.rs p/mod.rs"]);
}

#[test]
fn a_re_export_is_not_a_use_and_leads_to_the_file_that_defines_the_item() {
    let found = cycles(&[
        ("lib.rs", "mod p; pub use p::A;"),
        ("p.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"),
        ("p/a.rs", "use super::B; pub struct A(B);"),
        ("p/b.rs", "pub(crate) struct B; pub(crate) fn f() {}"),
    ]);
    assert_eq!(found, [""; 0]);
    let found = cycles(&[
        ("lib.rs", "mod p; pub use p::A;"),
        ("p.rs", "mod a; mod b; pub use a::A; pub(crate) use b::*;"),
        ("p/a.rs", "use super::B; pub struct A(B);"),
        (
            "p/b.rs",
            "use crate::A; pub(crate) struct B; pub(crate) fn f(a: A) {}",
        ),
    ]);
    assert_eq!(found, ["p/a.rs p/b.rs"]);
}

#[test]
fn imports_of_tests_are_ignored() {
    let found = cycles(&[
        ("lib.rs", "mod a; #[cfg(test)] mod fake; fn f() { a::f(); }"),
        (
            "a.rs",
            "pub fn f() {} #[cfg(test)] mod tests; #[cfg(test)] mod t { use crate::f; }",
        ),
        ("a/tests.rs", "use crate::f;"),
        ("fake.rs", "use crate::a::f;"),
    ]);
    assert_eq!(found, [""; 0]);
}
