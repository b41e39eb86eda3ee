//! A second Envoy takes over from the first one (`--restart-epoch`) while connections are open and
//! new ones come.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mesh::Counts;
use mesh::apps::{self, App};
use mesh::envoy::Envoy;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{EnvoyBinary, Epoch};
use mesh::{Scratch, wasm};

use crate::fixture::expect;
use crate::reload::{EPHEMERAL, LISTENER, bootstrap, contexts, listeners, load};

const DRAIN: Duration = Duration::from_secs(2);
/// Long enough for this test to close what the old process still serves, on a busy machine.
const PARENT_SHUTDOWN: Duration = Duration::from_secs(20);
/// A process does not hand over counts that it has flushed: this is longer than the old one runs.
const OLD_FLUSH: Duration = Duration::from_secs(299);
/// With each flush the new process asks the old one what has been counted since.
const NEW_FLUSH: Duration = Duration::from_secs(1);
/// Connections that the old process serves throughout.
const HELD: usize = 4;

/// Two Envoys, the second of which takes over.
struct Restart {
    dir: PathBuf,
    app: App,
    old: Envoy,
    /// Names what both share in `/dev/shm`, which Envoy leaves behind.
    base_id: String,
    _scratch: Scratch,
}

impl Drop for Restart {
    fn drop(&mut self) {
        let shared = format!("/dev/shm/envoy_shared_memory_{}0", self.base_id);
        let _gone = fs::remove_file(shared);
    }
}

impl Restart {
    fn start() -> Result<Self> {
        let scratch = Scratch::new("hot-restart")?;
        let dir = scratch.folder("envoy")?;
        let app = App::start(apps::echo)?;
        let base_id_file = dir.join("base-id");
        let first = Epoch::First {
            base_id_file: base_id_file.clone(),
        };
        let old = envoy(&dir, "old", EPHEMERAL, app.address(), first, OLD_FLUSH)?;
        let base_id = fs::read_to_string(&base_id_file)?.trim().to_owned();
        Ok(Self {
            dir,
            app,
            old,
            base_id,
            _scratch: scratch,
        })
    }

    /// Starts the second one, with a listener at the same address.
    fn take_over(&self, at: SocketAddr) -> Result<Envoy> {
        let second = Epoch::Second {
            base_id: self.base_id.clone(),
            parent_shutdown: PARENT_SHUTDOWN,
        };
        let app = self.app.address();
        envoy(&self.dir, "new", at, app, second, NEW_FLUSH)
    }
}

fn envoy(
    dir: &Path,
    name: &str,
    at: SocketAddr,
    app: SocketAddr,
    epoch: Epoch,
    flush: Duration,
) -> Result<Envoy> {
    let file = dir.join(format!("{name}.listeners.json"));
    fs::write(&file, listeners(0, at, app, Some(&wasm::build()?))?)?;
    let binary = EnvoyBinary::find(None)?.drain_time(DRAIN).epoch(epoch);
    let bootstrap = bootstrap(&file, app, flush)?;
    Ok(Envoy::start(&binary, name, bootstrap.document(), 2, dir)?)
}

fn reported(envoy: &Envoy) -> mesh::Result<Counts> {
    Ok(Counts::reported(&envoy.metrics()?, &[]))
}

/// Waits until exactly this is reported. Meanwhile no count goes back.
fn report(envoy: &Envoy, counts: Counts) -> Result {
    let mut last = Counts::default();
    poll::until(&format!("{counts:?}"), LIMIT, || {
        let now = reported(envoy)?;
        let parts = |counts: &Counts| [counts.opened, counts.closed, counts.received, counts.sent];
        let back = parts(&now).into_iter().zip(parts(&last));
        assert!(
            back.into_iter().all(|(now, last)| now >= last),
            "{last:?}, then {now:?}"
        );
        last = now;
        Ok(match now == counts {
            true => Look::Found(()),
            false => Look::NotYet(format!("{now:?}")),
        })
    })?;
    Ok(())
}

fn say(streams: &mut [TcpStream], what: &[u8]) -> Result {
    for stream in streams {
        stream.write_all(what)?;
        expect(stream, what)?;
    }
    Ok(())
}

/// Until the new process serves connections of the client.
fn serves(new: &Envoy) -> Result {
    poll::until("connections of the new process", LIMIT, || {
        let (created, _) = contexts(new).unwrap_or_default();
        Ok(match created > 10 {
            true => Look::Found(()),
            false => Look::NotYet(format!("{created}")),
        })
    })?;
    Ok(())
}

// Shows: filter/docs/failures.md, "no connection fails and no byte is lost. New connections go"
// Shows: filter/docs/operations.md, "| Envoy (restart, hot restart) | start again at 0 |"
#[test]
fn a_hot_restart_loses_and_doubles_nothing() -> Result {
    let restart = Restart::start()?;
    let address = restart.old.listener(LISTENER)?;
    let mut held = (0..HELD)
        .map(|_| TcpStream::connect(address))
        .collect::<io::Result<Vec<_>>>()?;
    say(&mut held, b"before")?;
    let stop = AtomicBool::new(false);
    let (new, (connections, bytes)) = thread::scope(|scope| -> Result<_> {
        let client = scope.spawn(|| load(address, 1, &stop));
        let taken = restart.take_over(address);
        let served = taken.as_ref().map(serves);
        stop.store(true, Ordering::Relaxed);
        let loaded = client.join().map_err(|_| "the client panicked")??;
        if let Ok(served) = served {
            served?;
        }
        Ok((taken?, loaded))
    })?;
    // The old process goes on serving what it has, and has it counted in the new one.
    say(&mut held, b"after")?;
    let cut = held.split_off(HELD - 1);
    drop(held);
    let opened = connections + HELD as u64;
    let bytes = bytes + (b"before".len() + b"after".len()) as u64 * HELD as u64;
    let counts = Counts {
        opened,
        closed: opened - cut.len() as u64,
        received: bytes,
        sent: bytes,
    };
    report(&new, counts)?;
    let [old, served] = [contexts(&restart.old)?, contexts(&new)?];
    assert_eq!((old.0 + served.0) as u64, counts.opened);
    assert_eq!((old.1 + served.1) as u64, counts.closed);
    // What is still open when the old process ends is closed, and nobody is left to count that.
    for mut stream in cut {
        stream.set_read_timeout(Some(PARENT_SHUTDOWN + LIMIT))?;
        assert_eq!(stream.read(&mut [0])?, 0);
    }
    report(&new, counts)?;
    Ok(())
}
