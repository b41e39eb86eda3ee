//! Envoys in callgrind.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::count::Count;
use crate::soak::Setup;
use mesh::envoy::Envoy;
use mesh::error::{Context, Error, Result};
use mesh::process;
use mesh::tools::required;
use mesh::{EnvoyBinary, Hop};

const REMEDY: &str = "Install valgrind (Debian: `apt install valgrind`).";
/// The label of the only dump of a window.
const WINDOW: &str = "window";

/// Callgrind, which writes to a folder.
#[derive(Debug)]
pub(super) struct Callgrind<'a> {
    dir: &'a Path,
}

impl<'a> Callgrind<'a> {
    pub(super) fn new(dir: &'a Path) -> Self {
        Self { dir }
    }

    /// The Envoy, run in callgrind.
    pub(super) fn wrap(&self, binary: &EnvoyBinary) -> Result<EnvoyBinary> {
        Ok(binary.clone().under(self.command_line()?))
    }

    fn command_line(&self) -> Result<Vec<String>> {
        let valgrind = required("valgrind", REMEDY)?;
        let file = self.dir.join("callgrind.%p");
        Ok(vec![
            valgrind.to_string_lossy().into_owned(),
            "--tool=callgrind".into(),
            // V8 writes machine code.
            "--smc-check=all-non-file".into(),
            format!("--callgrind-out-file={}", file.display()),
        ])
    }

    /// The Envoy, run in callgrind, which does not count before [`resume`](Self::resume): it is ten
    /// times as fast.
    pub(super) fn wrap_paused(&self, binary: &EnvoyBinary) -> Result<EnvoyBinary> {
        let mut line = self.command_line()?;
        line.push("--instr-atstart=no".into());
        Ok(binary.clone().under(line))
    }

    /// Counts from now on.
    pub(super) fn resume(&self, envoy: &Envoy) -> Result<()> {
        control("--instr=on", envoy)
    }

    /// Does not count from now on.
    pub(super) fn pause(&self, envoy: &Envoy) -> Result<()> {
        control("--instr=off", envoy)
    }

    /// Sets the count of an Envoy to zero.
    pub(super) fn start(&self, envoy: &Envoy) -> Result<()> {
        control("--zero", envoy)
    }

    /// The instructions of an Envoy, all threads, since the start of the count.
    pub(super) fn stop(&self, envoy: &Envoy) -> Result<Count> {
        control(&format!("--dump={WINDOW}"), envoy)?;
        let file = self.dump(envoy)?;
        let what = || format!("cannot read {}", file.display());
        let text = fs::read_to_string(&file).context(what)?;
        fs::remove_file(&file).context(what)?;
        Count::read(&text, &files(envoy)?)
            .ok_or_else(|| Error::malformed(file.display(), "the totals are not the sum"))
    }

    /// The only dump of an Envoy.
    fn dump(&self, envoy: &Envoy) -> Result<PathBuf> {
        let prefix = format!("callgrind.{}.", envoy.id());
        let what = || format!("cannot read {}", self.dir.display());
        for entry in fs::read_dir(self.dir).context(what)? {
            let path = entry.context(what)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.starts_with(&prefix) {
                return Ok(path);
            }
        }
        Err(Error::malformed(
            "the output of callgrind",
            "there is no dump",
        ))
    }
}

/// Sidecars whose instructions are counted.
pub(super) fn setup(hop: Hop) -> Setup {
    Setup {
        hop,
        edit: without_flushes,
        ..Setup::default()
    }
}

/// Keeps Envoy from visiting all of its stats every five seconds: the slower a run, the more of
/// these visits would be in its count. Envoy permits less than five minutes.
fn without_flushes(bootstrap: &mut Value) {
    if let Some(keys) = bootstrap.as_object_mut() {
        keys.insert("stats_flush_interval".into(), json!("299s"));
    }
}

/// The addresses of a process that lie in files.
fn files(envoy: &Envoy) -> Result<Vec<Range<u64>>> {
    let file = format!("/proc/{}/maps", envoy.id());
    let text = fs::read_to_string(&file).context(|| format!("cannot read {file}"))?;
    let address = |digits: &str| u64::from_str_radix(digits, 16).ok();
    let range = |line: &str| {
        let (start, end) = line.split(' ').next()?.split_once('-')?;
        line.contains('/').then_some(address(start)?..address(end)?)
    };
    Ok(text.lines().filter_map(range).collect())
}

fn control(action: &str, envoy: &Envoy) -> Result<()> {
    let mut command = Command::new(required("callgrind_control", REMEDY)?);
    command.arg(action).arg(envoy.id().to_string());
    process::run("callgrind_control", command)?;
    Ok(())
}
