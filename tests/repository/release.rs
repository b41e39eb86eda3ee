//! `.ci/release` rejects a release that is not ready, and prints the remaining steps of a ready
//! one. Its tests and builds do not run here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mesh::testing::Result;
use mesh::{Scratch, process, workspace};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A clone of the repository with the current script, and a complete changelog.
struct Clone {
    root: PathBuf,
    _scratch: Scratch,
}

impl Clone {
    /// Clones the repository. `None` if the sources are not a clone.
    fn new() -> Result<Option<Self>> {
        if !workspace::root().join(".git").exists() {
            unmet::skip("these sources are no git clone. Clone the repository to test the release");
            return Ok(None);
        }
        let scratch = Scratch::new("release")?;
        let root = scratch.path().join("clone");
        let mut git = Command::new("git");
        git.args(["clone", "--quiet"]).arg(workspace::root());
        git.arg(&root);
        process::run("git clone", git)?;
        let script = ".ci/release";
        fs::copy(workspace::root().join(script), root.join(script))?;
        let clone = Self {
            root,
            _scratch: scratch,
        };
        clone.changelog(&format!(
            "## [Unreleased]\n\n## [{VERSION}]\n\n- Something.\n"
        ))?;
        Ok(Some(clone))
    }

    fn git(&self, arguments: &[&str]) -> Result {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=test", "-c", "user.email=test@example.com"]);
        git.args(arguments).current_dir(&self.root);
        process::run("git", git)?;
        Ok(())
    }

    fn changelog(&self, text: &str) -> Result {
        fs::write(self.root.join("CHANGELOG.md"), text)?;
        self.git(&["add", "--all"])?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "test"])
    }

    fn release(&self, arguments: &[&str]) -> Result<Output> {
        let mut script = Command::new(self.root.join(".ci/release"));
        script.args(arguments).arg("--dry-run");
        // The script finds its repository without the current folder.
        Ok(script.current_dir(Path::new("/")).output()?)
    }

    fn refuses(&self, version: &str, reason: &str) -> Result {
        let output = self.release(&[version])?;
        let said = String::from_utf8(output.stderr)?;
        assert!(!output.status.success(), "{said}");
        assert!(said.contains(reason), "{said}");
        Ok(())
    }
}

#[test]
fn a_ready_release_lists_the_remaining_steps() -> Result {
    let Some(clone) = Clone::new()? else {
        return Ok(());
    };
    let output = clone.release(&[VERSION, "--to", "registry.test/filter"])?;
    let said = String::from_utf8(output.stdout)?;
    assert!(output.status.success(), "{said}");
    for remaining in [
        format!("git tag --annotate v{VERSION}"),
        format!("git push origin v{VERSION}"),
        format!("cargo oci push registry.test/filter:{VERSION}"),
    ] {
        assert!(said.contains(&remaining), "{said}");
    }
    Ok(())
}

#[test]
fn a_release_that_is_not_ready_is_rejected() -> Result {
    let Some(clone) = Clone::new()? else {
        return Ok(());
    };
    clone.refuses("99.0.0", &format!("Cargo.toml says {VERSION}, not 99.0.0"))?;
    fs::write(clone.root.join("untracked"), "")?;
    clone.refuses(VERSION, "the tree has changes")?;
    fs::remove_file(clone.root.join("untracked"))?;

    clone.changelog(&format!(
        "## [Unreleased]\n\n- New.\n\n## [{VERSION}]\n\n- Old.\n"
    ))?;
    clone.refuses(VERSION, "something in [Unreleased]")?;
    clone.changelog(&format!(
        "## [Unreleased]\n\n## [{VERSION}]\n\n## [0.0.1]\n\n- Old.\n"
    ))?;
    clone.refuses(VERSION, &format!("nothing in a section [{VERSION}]"))?;

    clone.git(&["tag", &format!("v{VERSION}")])?;
    clone.refuses(VERSION, "is there already")
}
