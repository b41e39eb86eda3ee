//! Chromium, if it is installed.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Scratch;
use crate::error::{Error, Result};
use crate::{process, tools};

/// The virtual time after which a page is read. It passes as fast as the page's scripts and
/// requests complete.
const PAGES_TIME_MS: u32 = 5_000;
/// The window of a desktop.
const WIDE: [u32; 2] = [1440, 900];
/// A limit that no working page reaches. Without it, a fault would be a hang.
const PATIENCE_MS: u32 = 60_000;

/// A headless Chromium.
#[derive(Debug)]
pub struct Chromium {
    program: PathBuf,
    profile: PathBuf,
}

impl Chromium {
    /// Finds Chromium on the PATH and creates a profile for it.
    ///
    /// # Errors
    /// Chromium is not installed ([`Error::NotInstalled`]), or the profile's folder cannot be
    /// created.
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

    /// Returns the document of a page after its scripts ran for the virtual time.
    ///
    /// # Errors
    /// The browser fails.
    pub fn document(&self, url: &str) -> Result<String> {
        self.document_in(WIDE, url)
    }

    /// As [`Self::document`], in a window of this size in pixels.
    ///
    /// # Errors
    /// The browser fails.
    pub fn document_in(&self, [width, height]: [u32; 2], url: &str) -> Result<String> {
        let size = format!("--window-size={width},{height}");
        let output = process::run("chromium", self.command(&["--dump-dom", &size, url]))?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Writes a PNG of the page after that time, of this size in pixels.
    ///
    /// # Errors
    /// The browser fails.
    pub fn screenshot(&self, url: &str, [width, height]: [u32; 2], file: &Path) -> Result<()> {
        let to = format!("--screenshot={}", file.display());
        let size = format!("--window-size={width},{height}");
        let command = self.command(&[&to, &size, "--hide-scrollbars", url]);
        process::run("chromium", command).map(drop)
    }

    /// The browser has no network traffic but the page's, and root can start it.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env("HOME", &self.profile);
        command
            .arg(format!("--user-data-dir={}", self.profile.display()))
            .args(["--headless", "--no-sandbox", "--disable-gpu"])
            .args(["--disable-quic", "--disable-sync", "--no-first-run"])
            .args(["--disable-background-networking"])
            // `/dev/shm` of a container is often too small for a page.
            .arg("--disable-dev-shm-usage")
            .args(["--disable-component-update"])
            .arg(format!("--virtual-time-budget={PAGES_TIME_MS}"))
            .arg(format!("--timeout={PATIENCE_MS}"))
            .args(arguments);
        command
    }
}
