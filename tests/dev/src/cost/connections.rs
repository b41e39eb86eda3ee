//! Connections that follow each other, each with two bytes in both directions.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use rustix::net::{self, AddressFamily, SocketType};

use mesh::error::{Context, Result};

const QUESTION: &[u8] = b"hi";
const ANSWER: &[u8] = b"ok";
/// The limit of a read: Envoys in callgrind are slow.
const PATIENCE: Duration = Duration::from_secs(60);
/// The number of connections before a count, for each worker: caches, TLS sessions and series are
/// known then.
pub(super) const WARM_UP: u32 = 80;
/// The number of connections of a warm-up that may fail.
const TOLERATED: u32 = 20;

/// Who writes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum First {
    Client,
    Server,
}

/// Starts a server that closes each connection after its bytes.
pub(super) fn serve(first: First) -> Result<SocketAddr> {
    let what = || "cannot listen on 127.0.0.1";
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context(what)?;
    let address = listener.local_addr().context(what)?;
    thread::spawn(move || {
        for stream in listener.incoming().map_while(io::Result::ok) {
            // The client reports what it misses.
            let _lost = answer(stream, first);
        }
    });
    Ok(address)
}

/// Opens connections one after the other.
pub(super) fn connect(to: SocketAddr, first: First, count: u32) -> io::Result<()> {
    (0..count).try_for_each(|_| ask(to, first))
}

/// Calls `ask` until it has succeeded this often. The first ones may fail: they take longer than
/// Envoy's time limits, as callgrind translates the code of a handshake.
pub(super) fn warm_up(count: u32, mut ask: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let (mut answered, mut failures) = (0, 0);
    while answered < count {
        match ask() {
            Ok(()) => answered += 1,
            Err(_) if failures < TOLERATED => failures += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer(mut stream: TcpStream, first: First) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    if first == First::Server {
        stream.write_all(ANSWER)?;
    }
    stream.read_exact(&mut [0; QUESTION.len()])?;
    if first == First::Client {
        stream.write_all(ANSWER)?;
    }
    Ok(())
}

/// Opens a connection.
pub(super) fn ask(to: SocketAddr, first: First) -> io::Result<()> {
    talk(TcpStream::connect(to)?, first)
}

/// Opens a connection from this address, whose client writes first.
pub(super) fn ask_from(from: SocketAddrV4, to: SocketAddr) -> io::Result<()> {
    let socket = net::socket(AddressFamily::INET, SocketType::STREAM, None)?;
    net::bind(&socket, &from)?;
    net::connect(&socket, &to)?;
    talk(TcpStream::from(socket), First::Client)
}

fn talk(mut stream: TcpStream, first: First) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut answer = Vec::new();
    if first == First::Client {
        stream.write_all(QUESTION)?;
    } else {
        answer.resize(ANSWER.len(), 0);
        stream.read_exact(&mut answer)?;
        stream.write_all(QUESTION)?;
    }
    stream.read_to_end(&mut answer)?;
    match answer == ANSWER {
        true => Ok(()),
        false => Err(io::Error::other(format!("the answer is {answer:?}"))),
    }
}
