//! The dashboard has the types of Grafana's schema.

use std::fs;
use std::path::Path;
use std::process::Command;

use mesh::testing::Result;
use mesh::{Scratch, available, tools};

use super::FILE;

const TYPES: &str = include_str!("schema.ts");

/// Texts of the dashboard, and texts in their place that the schema does not allow: the check can
/// fail.
const WRONG: [(&str, &str); 4] = [
    ("\"graphTooltip\": 1", "\"graphTooltip\": 7"),
    ("\"schemaVersion\"", "\"schemaVersoin\""),
    ("\"type\": \"stat\"", "\"type\": \"stats\""),
    ("\"graphMode\": \"area\"", "\"graphMode\": \"aera\""),
];

#[test]
fn grafanas_types_describe_the_dashboard() -> Result {
    let Some((packages, compiler)) = available(tools::grafana_schema())? else {
        return Ok(());
    };
    let scratch = Scratch::new("dashboard")?;
    let dir = scratch.path();
    let modules = dir.join("node_modules");
    std::os::unix::fs::symlink(packages.join("node_modules"), modules)?;
    let mut files = vec![write(dir, "dashboard.ts", FILE)?];
    for (number, (right, wrong)) in WRONG.into_iter().enumerate() {
        let broken = FILE.replace(right, wrong);
        assert_ne!(broken, FILE, "{right} does not occur");
        files.push(write(dir, &format!("wrong-{number}.ts"), &broken)?);
    }
    let errors = errors(&compiler, dir, &files)?;
    // The types are loaded once for all files: that takes most of the time.
    for (number, file) in files.iter().enumerate() {
        let place = format!("{file}(");
        let is_wrong = errors.lines().any(|line| line.starts_with(&place));
        assert_eq!(is_wrong, number > 0, "{file}:\n{errors}");
    }
    Ok(())
}

fn write(dir: &Path, file: &str, dashboard: &str) -> Result<String> {
    let dashboard = dashboard.trim_end();
    let text = format!("{TYPES}\nexport const dashboard: Checked = {dashboard};\n");
    fs::write(dir.join(file), text)?;
    Ok(file.to_owned())
}

/// The errors that the compiler prints, each behind its file.
fn errors(compiler: &Path, dir: &Path, files: &[String]) -> Result<String> {
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
    let output = command.args(files).output()?;
    Ok(String::from_utf8(output.stdout)?)
}
