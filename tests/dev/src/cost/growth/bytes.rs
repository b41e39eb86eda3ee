//! The instructions of bytes on one connection.

use std::thread;
use std::time::Duration;

use super::slopes;
use crate::bench::{Modules, bulk};
use crate::cost::callgrind::{self, Callgrind};
use crate::soak::{Load, Pair};
use mesh::error::{Context, Error, Result};
use mesh::{EnvoyBinary, Hop, Scratch};

/// The bytes that are sent and come back, in MB: the difference is counted.
const FEW: usize = 2;
const MANY: usize = 12;
/// The number of connections before the count.
const WARM_UP: usize = 4;
const MB: usize = 1_000_000;
/// The wait until both Envoys have closed the last connection.
const REST: Duration = Duration::from_secs(1);

pub(super) fn table(binary: &EnvoyBinary) -> Result<String> {
    let scratch = Scratch::new("bytes")?;
    let dir = scratch.folder("callgrind")?;
    let counter = Callgrind::new(&dir);
    let binary = counter.wrap(binary)?;
    let load = Load::start()?;
    let modules = Modules::build()?;
    // Both directions.
    let megabytes = 2 * (MANY - FEW) as i64;
    slopes("instructions per MB", megabytes, |contestant| {
        let (wasm, configuration) = modules.of(contestant);
        let application = load.application();
        let pair = Pair::start(
            &binary,
            wasm,
            configuration,
            application,
            callgrind::setup(Hop::Mesh),
        )?;
        let [client, server] = pair.both()?;
        let count = |megabytes: usize| -> Result<[i64; 2]> {
            counter.start(client)?;
            counter.start(server)?;
            let sent = bulk(pair.address(), megabytes * MB);
            sent.context(|| "a connection through both sidecars")?;
            thread::sleep(REST);
            Ok([counter.stop(client)?.total(), counter.stop(server)?.total()])
        };
        // Callgrind translates the code. The first ones may fail: they take longer than Envoy's time
        // limits.
        let answered = (0..WARM_UP).filter(|_| bulk(pair.address(), FEW * MB).is_ok());
        if answered.count() == 0 {
            return Err(Error::malformed("the warm-up", "no bytes came back"));
        }
        let ([client, server], [more_client, more_server]) = (count(FEW)?, count(MANY)?);
        Ok([[client, more_client], [server, more_server]])
    })
}
