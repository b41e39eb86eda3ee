//! A real browser, if it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Scratch;
use crate::error::{Error, Result};
use crate::{process, tools};

/// As far as a page comes in so much of its own time is what is looked at. That passes as fast as the page's work and its
/// requests are done.
const PAGES_TIME_MS: u32 = 5_000;
/// Far longer than any page takes: without it a fault would be a hang.
const PATIENCE_MS: u32 = 60_000;

/// A Chromium without a window.
#[derive(Debug)]
pub struct Chromium {
    program: PathBuf,
    profile: PathBuf,
}

impl Chromium {
    /// The one on the PATH, with a profile of its own.
    ///
    /// # Errors
    /// There is none ([`Error::NotInstalled`]), or the profile's folder cannot be made.
    pub fn find(scratch: &Scratch) -> Result<Self> {
        let known = ["chromium", "chromium-browser", "google-chrome"];
        let program = known.into_iter().find_map(tools::on_path);
        Ok(Self {
            program: program.ok_or(Error::NotInstalled {
                program: "chromium",
                remedy: "Install it (Debian: `apt install chromium`) to run what needs it",
            })?,
            profile: scratch.folder("chromium")?,
        })
    }

    /// The document of a page, after its scripts have run for a while.
    ///
    /// # Errors
    /// The browser fails.
    pub fn document(&self, url: &str) -> Result<String> {
        let output = process::run("chromium", self.command(&["--dump-dom", url]))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes what a page looks like by then to a PNG file of this size in pixels.
    ///
    /// # Errors
    /// The browser fails.
    pub fn screenshot(&self, url: &str, [width, height]: [u32; 2], file: &Path) -> Result<()> {
        let to = format!("--screenshot={}", file.display());
        let size = format!("--window-size={width},{height}");
        let command = self.command(&[&to, &size, "--hide-scrollbars", url]);
        process::run("chromium", command).map(drop)
    }

    /// It talks to nobody but the page, and root may start it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.profile);
        command
            .arg(format!("--user-data-dir={}", self.profile.display()))
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-quic", "--disable-sync", "--no-first-run"])
            .args(["--disable-background-networking"])
            // In a container it is often too small for a page.
            .arg("--disable-dev-shm-usage")
            .args(["--disable-component-update"])
            .arg(format!("--virtual-time-budget={PAGES_TIME_MS}"))
            .arg(format!("--timeout={PATIENCE_MS}"))
            .args(arguments);
        command
    }
}
