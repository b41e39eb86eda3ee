//! The dashboard has the types of Grafana's schema.

use std::fs;
use std::path::Path;
use std::process::Command;

use mesh::testing::Result;
use mesh::{Scratch, available, process, tools};

use super::FILE;

const TYPES: &str = include_str!("schema.ts");

#[test]
fn grafanas_types_describe_the_dashboard() -> Result {
    let Some((dir, compiler)) = available(tools::grafana_schema())? else {
        return Ok(());
    };
    let scratch = Scratch::new("dashboard")?;
    check(FILE, &dir, &compiler, scratch.path())?;
    // The check can fail.
    for (wrong, with) in [
        ("\"graphTooltip\": 1", "\"graphTooltip\": 7"),
        ("\"schemaVersion\"", "\"schemaVersoin\""),
        ("\"type\": \"stat\"", "\"type\": \"stats\""),
        ("\"graphMode\": \"area\"", "\"graphMode\": \"aera\""),
    ] {
        let broken = FILE.replace(wrong, with);
        assert_ne!(broken, FILE, "{wrong} does not occur");
        let verdict = check(&broken, &dir, &compiler, scratch.path());
        assert!(verdict.is_err(), "{with} is accepted");
    }
    Ok(())
}

/// Fails with the output of the compiler.
fn check(dashboard: &str, packages: &Path, compiler: &Path, dir: &Path) -> Result {
    let modules = dir.join("node_modules");
    if !modules.exists() {
        std::os::unix::fs::symlink(packages.join("node_modules"), modules)?;
    }
    let dashboard = dashboard.trim_end();
    let text = format!("{TYPES}\nexport const dashboard: Checked = {dashboard};\n");
    fs::write(dir.join("dashboard.ts"), text)?;
    let mut command = Command::new(compiler);
    command.current_dir(dir);
    command.args([
        "--noEmit",
        "--strict",
        "--skipLibCheck",
        "--target",
        "es2022",
    ]);
    command.args(["--module", "nodenext", "--moduleResolution", "nodenext"]);
    command.arg("dashboard.ts");
    Ok(process::run("tsc", command).map(drop)?)
}
