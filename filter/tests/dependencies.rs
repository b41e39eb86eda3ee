//! Packages of the .wasm. `deny.toml` has the licences and sources of all dependencies.

use std::collections::BTreeSet;
use std::env;
use std::process::Command;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Packages whose code runs in the proxy. Each was reviewed before it was added.
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

#[test]
fn only_known_packages_run_in_the_proxy() -> Result {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args([
            "tree",
            "--package=tcp-peer-stats",
            "--target=wasm32-unknown-unknown",
            "--edges=normal,no-proc-macro",
            "--prefix=none",
            "--format={p}",
        ])
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let tree = String::from_utf8(output.stdout)?;
    let packages: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .collect();
    assert_eq!(packages, BTreeSet::from(IN_THE_WASM));
    Ok(())
}
