//! Builds a family with Go.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use mesh::error::Context;
use mesh::tools::on_path;
use mesh::{Scratch, folder, process, progress};

use super::family::{Build, Family, cache};
use crate::error::{Error, Result};

/// The path of Go.
pub(super) fn go() -> Result<PathBuf> {
    on_path("go").ok_or_else(|| Error::Unmet {
        what: "go was not found".into(),
        remedy:
            "Install Go 1.26 or newer (https://go.dev/dl): Istio's control plane is built with it"
                .into(),
    })
}

/// Builds a family into its folder.
pub(super) fn build(go: &Path, family: Family) -> Result<PathBuf> {
    Ok(folder::filled_in(
        &cache(),
        &family.name_in_cache(),
        |out| {
            let module = Scratch::new_in(&cache(), family.name)?;
            for (name, content) in family.sources {
                let file = module.path().join(name);
                fs::write(&file, content).context(|| format!("cannot write {}", file.display()))?;
            }
            programs(go, family, module.path(), out)
        },
    )?)
}

fn programs(go: &Path, family: Family, module: &Path, out: &Path) -> mesh::Result<()> {
    for Build {
        tags,
        ldflags,
        programs,
    } in family.builds
    {
        for (name, package) in *programs {
            progress::step(family.name, &format!("go build {name}"));
            let mut command = Command::new(go);
            command
                .args(["build", "-mod=readonly", "-trimpath"])
                .args(["-tags", tags, "-ldflags", ldflags, "-o"])
                .args([out.join(name).as_path(), Path::new(package)])
                .env("CGO_ENABLED", "0")
                .current_dir(module);
            process::run("go build", command)?;
        }
    }
    if let Some((name, of, path)) = family.copied {
        let mut command = Command::new(go);
        command
            .args(["list", "-m", "-f", "{{.Dir}}", of])
            .current_dir(module);
        let output = process::run("go list", command)?;
        let dir = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        let source = Path::new(&dir).join(path);
        // Not fs::copy: files in Go's module cache are read-only.
        let content = fs::read(&source).context(|| format!("cannot read {}", source.display()))?;
        let target = out.join(name);
        fs::write(&target, content).context(|| format!("cannot write {}", target.display()))?;
    }
    Ok(())
}
