//! A relay that counts and hashes the bytes that it passes on.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use sha2::{Digest, Sha256};
use socket2::SockRef;

use crate::acceptor::Acceptor;
use crate::error::Result;

const CHUNK: usize = 64 * 1024;

/// A relay between an application and its sidecar. It passes half-closes and resets on.
#[derive(Debug)]
pub struct Tap {
    acceptor: Acceptor,
    flows: Arc<Mutex<Vec<Arc<Flow>>>>,
}

/// One direction of one connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Passed {
    /// The number of bytes.
    pub bytes: u64,
    /// Their SHA-256, in hexadecimal.
    pub sha256: String,
}

/// One connection.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// From the client to the server.
    pub request: Passed,
    /// From the server to the client.
    pub response: Passed,
    /// Whether either direction is still open.
    pub open: bool,
}

/// The connections of a tap so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    connections: Vec<Connection>,
}

#[derive(Debug, Default)]
struct Flow {
    request: Mutex<Meter>,
    response: Mutex<Meter>,
    reset: AtomicBool,
}

#[derive(Debug, Default)]
struct Meter {
    bytes: u64,
    hash: Sha256,
    ended: bool,
}

impl Tap {
    /// Starts a relay to `target`.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start(target: SocketAddr) -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), target)
    }

    /// As [`Self::start`], with another address for clients.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start_at(address: SocketAddr, target: SocketAddr) -> Result<Self> {
        let flows = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&flows);
        let acceptor = Acceptor::start_at(address, move |near| {
            let Ok(far) = TcpStream::connect(target).and_then(|far| {
                far.set_nodelay(true)?;
                Ok(far)
            }) else {
                abort(&near);
                return;
            };
            let flow = Arc::new(Flow::default());
            lock(&recorded).push(Arc::clone(&flow));
            relay_both(&near, &far, &flow);
        })?;
        Ok(Self { acceptor, flows })
    }

    /// The address for clients.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }

    /// Clears the recorded connections, which limits the memory of a tap that runs for days.
    pub fn forget(&self) {
        lock(&self.flows).clear();
    }

    /// The connections so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        let mut connections: Vec<_> = lock(&self.flows)
            .iter()
            .map(|flow| flow.snapshot())
            .collect();
        connections.sort();
        Tally { connections }
    }
}

impl Tally {
    /// Every connection, sorted by content.
    #[must_use]
    pub fn connections(&self) -> &[Connection] {
        &self.connections
    }

    /// Connections opened.
    #[must_use]
    pub fn opened(&self) -> u64 {
        self.connections.len() as u64
    }

    /// Connections closed in both directions.
    #[must_use]
    pub fn closed(&self) -> u64 {
        self.connections
            .iter()
            .filter(|connection| !connection.open)
            .count() as u64
    }

    /// Bytes from clients to the server.
    #[must_use]
    pub fn received(&self) -> u64 {
        self.connections
            .iter()
            .map(|connection| connection.request.bytes)
            .sum()
    }

    /// Bytes from the server to clients.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.connections
            .iter()
            .map(|connection| connection.response.bytes)
            .sum()
    }

    /// Merges the connections of several taps.
    #[must_use]
    pub fn merged(tallies: impl IntoIterator<Item = Self>) -> Self {
        let connections = tallies.into_iter().flat_map(|tally| tally.connections);
        let mut connections: Vec<_> = connections.collect();
        connections.sort();
        Self { connections }
    }

    /// Whether the connections of both tallies carried the same bytes.
    #[must_use]
    pub fn same_bytes(&self, other: &Self) -> bool {
        let content = |tally: &Self| -> Vec<_> {
            let connections = tally.connections.iter().cloned();
            let mut content: Vec<_> = connections
                .map(|connection| (connection.request, connection.response))
                .collect();
            content.sort();
            content
        };
        content(self) == content(other)
    }
}

impl Flow {
    fn snapshot(&self) -> Connection {
        let (request, response) = (lock(&self.request), lock(&self.response));
        Connection {
            request: request.passed(),
            response: response.passed(),
            open: !(request.ended && response.ended),
        }
    }
}

impl Meter {
    fn passed(&self) -> Passed {
        Passed {
            bytes: self.bytes,
            sha256: hex::encode(self.hash.clone().finalize()),
        }
    }
}

fn relay_both(near: &TcpStream, far: &TcpStream, flow: &Flow) {
    thread::scope(|scope| {
        scope.spawn(|| relay(near, far, &flow.request, &flow.reset));
        relay(far, near, &flow.response, &flow.reset);
    });
}

fn relay(from: &TcpStream, to: &TcpStream, meter: &Mutex<Meter>, reset: &AtomicBool) {
    if pump(from, to, meter, reset).is_err() && !reset.swap(true, Ordering::SeqCst) {
        // Both sockets are reset when they are closed, after the thread of the other direction has
        // ended.
        abort(from);
        abort(to);
    }
    lock(meter).ended = true;
}

fn pump(
    mut from: &TcpStream,
    mut to: &TcpStream,
    meter: &Mutex<Meter>,
    reset: &AtomicBool,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK];
    loop {
        let size = from.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..size).filter(|chunk| !chunk.is_empty()) else {
            return if reset.load(Ordering::SeqCst) {
                Ok(())
            } else {
                to.shutdown(Shutdown::Write)
            };
        };
        {
            let mut meter = lock(meter);
            meter.bytes += chunk.len() as u64;
            meter.hash.update(chunk);
        }
        to.write_all(chunk)?;
    }
}

/// Makes a close of the socket send a reset, and ends a blocked read.
fn abort(stream: &TcpStream) {
    // Fails only if the socket is closed already.
    let _dead = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    let _dead = stream.shutdown(Shutdown::Read);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::apps::{self, App};
    use crate::poll::{self, Look};

    fn settled(tap: &Tap) -> Tally {
        poll::until("all connections closed", Duration::from_secs(10), || {
            let tally = tap.tally();
            Ok(if tally.opened() > 0 && tally.opened() == tally.closed() {
                Look::Found(tally)
            } else {
                Look::NotYet(format!("{tally:?}"))
            })
        })
        .unwrap()
    }

    #[test]
    fn counts_and_hashes_each_direction_across_a_half_close() {
        let app = App::start(apps::length).unwrap();
        let tap = Tap::start(app.address()).unwrap();
        let mut client = TcpStream::connect(tap.address()).unwrap();
        client.write_all(b"hello").unwrap();
        client.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).unwrap();
        assert_eq!(answer, "5 bytes\n");

        let tally = settled(&tap);
        assert_eq!((tally.received(), tally.sent()), (5, 8));
        let sha256 = hex::encode(Sha256::digest(b"hello"));
        assert_eq!(tally.connections()[0].request, Passed { bytes: 5, sha256 });
    }

    #[test]
    fn a_reset_is_passed_on() {
        let app = App::start(apps::reset).unwrap();
        let tap = Tap::start(app.address()).unwrap();
        let mut client = TcpStream::connect(tap.address()).unwrap();
        client.write_all(b"x").unwrap();
        let error = client.read(&mut [0; 1]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        settled(&tap);
    }

    #[test]
    fn same_bytes_is_false_for_different_bytes() {
        let app = App::start(apps::echo).unwrap();
        let tallies = [b"one", b"two"].map(|text| {
            let tap = Tap::start(app.address()).unwrap();
            let mut client = TcpStream::connect(tap.address()).unwrap();
            client.write_all(text).unwrap();
            client.shutdown(Shutdown::Write).unwrap();
            client.read_to_end(&mut Vec::new()).unwrap();
            settled(&tap)
        });
        assert!(tallies[0].same_bytes(&tallies[0]));
        assert!(!tallies[0].same_bytes(&tallies[1]));
    }
}
