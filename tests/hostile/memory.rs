//! An Envoy's memory.

use std::fs;

use mesh::Envoy;
use mesh::testing::Result;

/// Its resident memory (`VmRSS`), in bytes.
pub(crate) fn resident(envoy: &Envoy) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", envoy.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line
        .and_then(|line| line.split_whitespace().next())
        .ok_or("no VmRSS")?;
    Ok(kibibytes.parse::<u64>()? * 1024)
}
