//! The applications of the checks. The client sends a text of its own in each connection, and the
//! server answers with the length and the digest of what it received.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Barrier, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use mesh::acceptor::Acceptor;
use sha2::{Digest, Sha256};

use crate::error::Result;
use crate::kubelet::Pod;

/// The end of a client's text.
const END: &[u8] = b"\n.END.\n";
const START: &str = "PING ";
/// What a server that sends first sends.
const GREETING: &[u8] = b"greeting\n";
/// The first bytes of a frame of the metadata exchange.
const MAGIC: &[u8] = &[0x3d, 0x23, 0x04, 0x67];
const TIMEOUT: Duration = Duration::from_secs(60);

/// The side that sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Client,
    Server,
}

/// A server in a pod.
#[derive(Debug)]
pub(super) struct Application {
    acceptor: Acceptor,
    seen: Arc<Mutex<Vec<Seen>>>,
    first: First,
}

/// A connection as the server saw it, after its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Whether it received exactly a client's text.
    pub(super) ok: bool,
    /// Whether it received the start of a frame.
    pub(super) frame: bool,
    /// The number of bytes that it received.
    pub(super) bytes: usize,
}

/// The connections of a client.
#[derive(Debug, Default)]
pub(super) struct Visits {
    pub(super) made: u64,
    /// What went wrong, per connection.
    pub(super) failed: Vec<String>,
}

impl Application {
    /// Starts a server at a port of the pod.
    pub(super) fn start(pod: &Pod, port: u16, first: First) -> Result<Self> {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&seen);
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let acceptor = pod.inside(|| {
            Ok(Acceptor::start_at(address, move |stream| {
                let connection = serve(stream, first);
                recorded
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(connection);
            })?)
        })?;
        Ok(Self {
            acceptor,
            seen,
            first,
        })
    }

    /// Frees its port. Only in its own network can it do so.
    pub(super) fn stop(self, pod: &Pod) -> Result<()> {
        let acceptor = self.acceptor;
        pod.inside(|| {
            drop(acceptor);
            Ok(())
        })
    }

    /// The side that sends first.
    pub(super) fn first(&self) -> First {
        self.first
    }

    /// The connections that ended, since the start or the last call of [`Self::take`].
    pub(super) fn seen(&self) -> Vec<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Removes and returns the connections that ended.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Opens `number` connections to a server, `parallel` at a time.
pub(super) fn visit(address: SocketAddr, first: First, number: u64, parallel: u64) -> Visits {
    let next = AtomicU64::new(0);
    let begin = Barrier::new(usize::try_from(parallel).unwrap_or(1));
    in_parallel(parallel, || {
        let mut visits = Visits::default();
        begin.wait();
        loop {
            let id = next.fetch_add(1, Ordering::SeqCst);
            if id >= number {
                return visits;
            }
            visits.add(id, one(address, first, id));
        }
    })
}

/// Opens connections, one at a time, until `stop` is set.
pub(super) fn visit_until(address: SocketAddr, first: First, stop: &AtomicBool) -> Visits {
    let mut visits = Visits::default();
    while !stop.load(Ordering::SeqCst) {
        visits.add(visits.made, one(address, first, visits.made));
        thread::sleep(Duration::from_millis(20));
    }
    visits
}

impl Visits {
    fn add(&mut self, id: u64, result: Result<(), String>) {
        self.made += 1;
        self.failed.extend(
            result
                .err()
                .map(|error| format!("connection {id}: {error}")),
        );
    }
}

fn in_parallel(parallel: u64, work: impl Fn() -> Visits + Sync) -> Visits {
    thread::scope(|scope| {
        let threads: Vec<_> = (0..parallel).map(|_| scope.spawn(&work)).collect();
        let mut all = Visits::default();
        for thread in threads {
            match thread.join() {
                Ok(visits) => {
                    all.made += visits.made;
                    all.failed.extend(visits.failed);
                }
                Err(_) => all
                    .failed
                    .push("a thread of the client panicked".to_owned()),
            }
        }
        all
    })
}

/// One connection. Every second one sends its text and the end separately.
fn one(address: SocketAddr, first: First, id: u64) -> Result<(), String> {
    let text = format!("{START}{id}");
    let received = talk(address, first, &text, id % 2 == 1).map_err(|error| error.to_string())?;
    let mut expected = Vec::new();
    if first == First::Server {
        expected.extend_from_slice(GREETING);
    }
    expected.extend_from_slice(answer(text.as_bytes()).as_bytes());
    if received == expected {
        Ok(())
    } else if contains(&received, MAGIC) {
        Err("the client received a frame".to_owned())
    } else {
        Err(format!(
            "the client received {:?}",
            String::from_utf8_lossy(&received)
        ))
    }
}

fn talk(address: SocketAddr, first: First, text: &str, apart: bool) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let mut received = Vec::new();
    if first == First::Server {
        let mut greeting = vec![0; GREETING.len()];
        stream.read_exact(&mut greeting)?;
        received.extend(greeting);
    }
    if apart {
        stream.write_all(text.as_bytes())?;
        thread::sleep(Duration::from_millis(2));
        stream.write_all(END)?;
    } else {
        stream.write_all(&[text.as_bytes(), END].concat())?;
    }
    // The answer comes before the client closes, as that of a database does.
    let mut byte = [0];
    let answered = received.len();
    while received
        .get(answered..)
        .is_some_and(|answer| !answer.contains(&b'\n'))
    {
        if stream.read(&mut byte)? == 0 {
            return Ok(received);
        }
        received.extend(byte);
    }
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut received)?;
    Ok(received)
}

fn serve(mut stream: TcpStream, first: First) -> Seen {
    let mut received = Vec::new();
    // An error shows in what was received.
    let _broken = receive(&mut stream, first, &mut received);
    let text = received.strip_suffix(END);
    Seen {
        ok: text.is_some_and(|text| text.starts_with(START.as_bytes()) && !contains(text, END)),
        frame: contains(&received, MAGIC),
        bytes: received.len(),
    }
}

fn receive(stream: &mut TcpStream, first: First, received: &mut Vec<u8>) -> io::Result<()> {
    stream.set_read_timeout(Some(TIMEOUT))?;
    if first == First::Server {
        stream.write_all(GREETING)?;
    }
    let mut is_answered = false;
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..size).filter(|chunk| !chunk.is_empty()) else {
            return Ok(());
        };
        received.extend_from_slice(chunk);
        if let (false, Some(text)) = (is_answered, received.strip_suffix(END)) {
            is_answered = true;
            let answer = answer(text);
            stream.write_all(answer.as_bytes())?;
        }
    }
}

fn answer(text: &[u8]) -> String {
    format!("GOT {} {}\n", text.len(), hex::encode(Sha256::digest(text)))
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(first: First) -> (Acceptor, Arc<Mutex<Vec<Seen>>>) {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let recorded = Arc::clone(&seen);
        let acceptor = Acceptor::start(move |stream| {
            let connection = serve(stream, first);
            recorded.lock().unwrap().push(connection);
        });
        (acceptor.unwrap(), seen)
    }

    #[test]
    fn clients_and_servers_agree_whichever_sends_first() {
        for first in [First::Client, First::Server] {
            let (server, seen) = server(first);
            let visits = visit(server.address(), first, 7, 3);
            assert_eq!((visits.made, visits.failed), (7, Vec::<String>::new()));
            while seen.lock().unwrap().len() < 7 {
                thread::sleep(Duration::from_millis(1));
            }
            let right = Seen {
                ok: true,
                frame: false,
                bytes: "PING 0\n.END.\n".len(),
            };
            assert_eq!(*seen.lock().unwrap(), vec![right; 7]);
        }
    }

    #[test]
    fn a_frame_before_the_text_is_found() {
        let (server, seen) = server(First::Client);
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let frame = [MAGIC, b"\0\0\0\x01x"].concat();
        stream
            .write_all(&[&frame, b"PING 1".as_slice(), END].concat())
            .unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("GOT 15 "), "{answer}");
        let expected = Seen {
            ok: false,
            frame: true,
            bytes: 22,
        };
        while seen.lock().unwrap().is_empty() {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(*seen.lock().unwrap(), [expected]);
    }
}
