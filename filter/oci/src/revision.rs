//! The commit that is built.

use std::path::Path;
use std::process::{Command, Stdio};

/// A commit.
#[derive(Debug, Default)]
pub(crate) struct Revision {
    /// Its hash, with the suffix `-dirty` if tracked files differ from it.
    pub(crate) id: Option<String>,
    /// Its time, in RFC 3339 and UTC.
    pub(crate) time: Option<String>,
}

impl Revision {
    /// The commit of the work tree at `root`. Without a git work tree, or without git, both fields
    /// are `None`.
    pub(crate) fn of(root: &Path) -> Self {
        let Some(mut id) = git(root, &["rev-parse", "HEAD"]) else {
            return Self::default();
        };
        let changes = git(root, &["status", "--porcelain", "--untracked-files=no"]);
        if changes.is_none_or(|changes| !changes.is_empty()) {
            id.push_str("-dirty");
        }
        let format = "--date=format-local:%Y-%m-%dT%H:%M:%SZ";
        let time = git(
            root,
            &["show", "--no-patch", "--format=%cd", format, "HEAD"],
        );
        Self { id: Some(id), time }
    }
}

fn git(root: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(root)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}
