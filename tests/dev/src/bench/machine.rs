//! The machine on which the benchmark ran.

use std::fmt::{self, Display, Formatter};
use std::path::Path;
use std::{fs, thread};

use serde::Serialize;

use mesh::error::{Context, Result};

/// The properties of the machine.
#[derive(Clone, Debug, Serialize)]
pub struct Machine {
    /// The processor's name in `/proc/cpuinfo`.
    pub processor: String,
    /// The number of processors that this process can use.
    pub processors: usize,
    /// The kernel's release.
    pub kernel: String,
    /// The load average of the last minute.
    pub load: f64,
}

impl Machine {
    pub(super) fn look() -> Result<Self> {
        let processors = thread::available_parallelism();
        let cpuinfo = read("/proc/cpuinfo")?;
        let model = cpuinfo.lines().find(|line| line.starts_with("model name"));
        let model = model.and_then(|line| line.split_once(": "));
        let load = read("/proc/loadavg")?;
        let load = load.split_whitespace().next();
        Ok(Self {
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            processors: processors.map_or(1, usize::from),
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            load: load.and_then(|load| load.parse().ok()).unwrap_or_default(),
        })
    }
}

impl Display for Machine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            processor,
            processors,
            kernel,
            load,
        } = self;
        write!(
            f,
            "{processors} × {processor}, Linux {kernel}, load {load} at the start"
        )
    }
}

fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = path.as_ref();
    fs::read_to_string(path).context(|| format!("cannot read {}", path.display()))
}
