//! What the filter and its tools are made of: licences that may be shipped, sources that are
//! published, and in the .wasm only what is known to be there.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

use serde_json::Value;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Licences under which a dependency may be.
const LICENCES: [&str; 12] = [
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    // For data: the root certificates that browsers trust.
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages whose code runs in the proxy. Each was looked at; another one has to be.
const IN_THE_WASM: [&str; 16] = [
    "allocator-api2",
    "bytes",
    "equivalent",
    "foldhash",
    "hashbrown",
    "itoa",
    "log",
    "memchr",
    "peer-exchange",
    "prost",
    "proxy-wasm",
    "serde_core",
    "serde_json",
    "tcp-peer-stats",
    "tcp-peer-stats-core",
    "zmij",
];

fn cargo(arguments: &[&str]) -> Result<String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// Whether an expression of SPDX leaves a choice that may be shipped: no parentheses but around all
/// of one side.
fn is_fit(expression: &str) -> bool {
    let expression = expression.replace(['(', ')'], "").replace('/', " OR ");
    expression.split(" AND ").all(|part| {
        part.split(" OR ")
            .any(|licence| LICENCES.contains(&licence.trim()))
    })
}

#[test]
fn every_dependency_is_published_under_a_fit_licence() -> Result {
    let metadata: Value = serde_json::from_str(&cargo(&["metadata", "--format-version=1"])?)?;
    let packages = metadata
        .get("packages")
        .and_then(Value::as_array)
        .ok_or("no packages")?;
    assert!(packages.len() > 50);
    for package in packages {
        let text = |key| package.get(key).and_then(Value::as_str).unwrap_or_default();
        let source = text("source");
        assert!(
            source.is_empty() || source.starts_with("registry+"),
            "{} comes from {source}",
            text("name")
        );
        assert!(
            is_fit(text("license")),
            "{} is under {:?}",
            text("name"),
            text("license")
        );
    }
    Ok(())
}

#[test]
fn only_known_packages_run_in_the_proxy() -> Result {
    let tree = cargo(&[
        "tree",
        "--package=tcp-peer-stats",
        "--target=wasm32-unknown-unknown",
        "--edges=normal,no-proc-macro",
        "--prefix=none",
        "--format={p}",
    ])?;
    let packages: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(packages, BTreeSet::from(IN_THE_WASM));
    Ok(())
}

#[test]
fn licences_are_told_apart() {
    for fit in [
        "MIT",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
    ] {
        assert!(is_fit(fit), "{fit}");
    }
    for unfit in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND LGPL-2.1",
    ] {
        assert!(!is_fit(unfit), "{unfit}");
    }
}
