//! The servers of the checks. A client sends a text of its own in each connection, and the server
//! answers with the length and the digest of what it received.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mesh::acceptor::Acceptor;
use sha2::{Digest, Sha256};

use super::stream::{self, Stream};
use crate::error::Result;
use crate::kubelet::Pod;

/// The end of a client's text.
pub(super) const END: &[u8] = b"\n.END.\n";
/// The beginning of a client's text.
pub(super) const START: &str = "PING ";
/// What a server that sends first sends.
pub(super) const GREETING: &[u8] = b"greeting\n";
/// The beginning of a server's answer.
pub(super) const ANSWER: &[u8] = b"GOT ";
/// The first bytes of a frame of the metadata exchange.
const MAGIC: &[u8] = &[0x3d, 0x23, 0x04, 0x67];
/// The time that clients wait for bytes: longer than Envoy waits for a TLS handshake.
pub(super) const TIMEOUT: Duration = Duration::from_secs(20);
/// The time that servers wait for bytes: clients keep connections open while pods start.
const PATIENCE: Duration = Duration::from_secs(300);

/// The side that sends first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Client,
    Server,
    /// The client, with TLS of the application's own.
    Tls,
}

/// A server in a pod.
#[derive(Debug)]
pub(super) struct Application {
    acceptor: Acceptor,
    connections: Connections,
    first: First,
}

/// What a server knows of its connections.
#[derive(Clone, Debug, Default)]
struct Connections(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The number of connections that have not ended.
    open: u64,
    /// The number of connections, ended or not, that brought bytes.
    heard: u64,
    ended: Vec<Seen>,
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
    /// The number of bytes that it sent.
    pub(super) sent: usize,
}

impl Application {
    /// Starts a server at a port of the pod.
    pub(super) fn start(pod: &Pod, port: u16, first: First) -> Result<Self> {
        let connections = Connections::default();
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let handler = connections.handler(first);
        let acceptor = pod.inside(|| Ok(Acceptor::start_at(address, handler)?))?;
        Ok(Self {
            acceptor,
            connections,
            first,
        })
    }

    /// Starts a server outside of all pods.
    pub(super) fn start_outside(address: SocketAddr) -> Result<Self> {
        let first = First::Client;
        let connections = Connections::default();
        let acceptor = Acceptor::start_at(address, connections.handler(first))?;
        Ok(Self {
            acceptor,
            connections,
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
        self.connections.lock().ended.clone()
    }

    /// The number of connections that have not ended.
    pub(super) fn open(&self) -> u64 {
        self.connections.lock().open
    }

    /// The number of connections that brought bytes, since the start.
    pub(super) fn heard(&self) -> u64 {
        self.connections.lock().heard
    }

    /// Removes and returns the connections that ended.
    pub(super) fn take(&self) -> Vec<Seen> {
        std::mem::take(&mut self.connections.lock().ended)
    }
}

impl Connections {
    /// Serves and records each connection.
    fn handler(&self, first: First) -> impl Fn(TcpStream) + Send + Sync + 'static {
        let connections = self.clone();
        move |stream| {
            connections.lock().open += 1;
            let seen = serve(stream, first, || connections.lock().heard += 1);
            let mut state = connections.lock();
            state.open -= 1;
            state.ended.push(seen);
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `heard` is called when the first bytes came.
fn serve(stream: TcpStream, first: First, heard: impl Fn()) -> Seen {
    let (mut received, mut sent) = (Vec::new(), 0);
    // An error shows in what was received.
    let _broken = converse(stream, first, heard, (&mut received, &mut sent));
    let text = received.strip_suffix(END);
    Seen {
        ok: text.is_some_and(|text| text.starts_with(START.as_bytes()) && !contains(text, END)),
        frame: has_frame(&received),
        bytes: received.len(),
        sent,
    }
}

fn converse(
    mut stream: TcpStream,
    first: First,
    heard: impl Fn(),
    traffic: (&mut Vec<u8>, &mut usize),
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    match first {
        First::Tls => receive(&mut stream::server(stream)?, first, heard, traffic),
        First::Client | First::Server => receive(&mut stream, first, heard, traffic),
    }
}

fn receive(
    stream: &mut impl Stream,
    first: First,
    heard: impl Fn(),
    (received, sent): (&mut Vec<u8>, &mut usize),
) -> io::Result<()> {
    if first == First::Server {
        stream.write_all(GREETING)?;
        *sent += GREETING.len();
    }
    let mut is_answered = false;
    let mut buffer = [0; 4096];
    loop {
        let size = stream.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..size).filter(|chunk| !chunk.is_empty()) else {
            return stream.finish();
        };
        if received.is_empty() {
            heard();
        }
        received.extend_from_slice(chunk);
        if let (false, Some(text)) = (is_answered, received.strip_suffix(END)) {
            is_answered = true;
            let answer = answer(text);
            stream.write_all(answer.as_bytes())?;
            *sent += answer.len();
        }
    }
}

/// The answer to a client's text.
pub(super) fn answer(text: &[u8]) -> String {
    format!("GOT {} {}\n", text.len(), hex::encode(Sha256::digest(text)))
}

/// Whether there is the start of a frame.
pub(super) fn has_frame(text: &[u8]) -> bool {
    contains(text, MAGIC)
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::thread;

    use super::super::visit::visit;
    use super::*;

    fn server(first: First) -> (Acceptor, Connections) {
        let connections = Connections::default();
        let acceptor = Acceptor::start(connections.handler(first));
        (acceptor.unwrap(), connections)
    }

    fn ended(connections: &Connections, number: usize) -> Vec<Seen> {
        while connections.lock().ended.len() < number {
            thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(connections.lock().open, 0);
        connections.lock().ended.clone()
    }

    #[test]
    fn clients_and_servers_agree_whichever_sends_first() {
        for first in [First::Client, First::Server, First::Tls] {
            let (server, connections) = server(first);
            let visits = visit(server.address(), first, 7, 3);
            assert_eq!((visits.made, visits.failed), (7, Vec::new()));
            let greeting = if first == First::Server {
                GREETING.len()
            } else {
                0
            };
            let right = Seen {
                ok: true,
                frame: false,
                bytes: "PING 0\n.END.\n".len(),
                sent: greeting + answer(b"PING 0").len(),
            };
            assert_eq!(ended(&connections, 7), vec![right; 7]);
        }
    }

    #[test]
    fn a_frame_before_the_text_is_found() {
        let (server, connections) = server(First::Client);
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
            sent: answer.len(),
        };
        assert_eq!(ended(&connections, 1), [expected]);
    }
}
