//! Resident memory by open connections, without callgrind.

use super::slopes;
use crate::bench::{Modules, resident};
use crate::soak::{Load, raise_file_limit};
use mesh::EnvoyBinary;
use mesh::error::Result;

/// The open connections. Each takes two of the files that a process may open.
const FEW: usize = 1_000;
const MANY: usize = 9_000;

pub(super) fn table(binary: &EnvoyBinary) -> Result<String> {
    raise_file_limit();
    let load = Load::start()?;
    let modules = Modules::build()?;
    slopes("bytes per connection", (MANY - FEW) as i64, |contestant| {
        let [few, many] = resident(contestant, &modules, binary, &load, 1, [FEW, MANY])?;
        let [[client, server], [more_client, more_server]] =
            [few, many].map(|sides| sides.map(u64::cast_signed));
        Ok([[client, more_client], [server, more_server]])
    })
}
