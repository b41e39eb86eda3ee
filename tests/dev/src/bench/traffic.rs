//! The traffic of the clients. The server echoes.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// A small message.
const MESSAGE: [u8; 64] = [b'm'; 64];
/// The size of a write of bulk data.
const CHUNK: usize = 64 * 1024;
/// The limit of a read. Without it, a fault would be a hang.
const PATIENCE: Duration = Duration::from_secs(60);
/// The number of clients that open connections at the same time.
const CLIENTS: usize = 4;

/// Sends bytes over one connection and reads the echo.
pub(crate) fn bulk(to: SocketAddr, bytes: usize) -> io::Result<()> {
    let mut reader = connect(to)?;
    let mut writer = reader.try_clone()?;
    let sender = thread::spawn(move || -> io::Result<()> {
        let chunk = vec![b'b'; CHUNK];
        for _ in 0..bytes / CHUNK {
            writer.write_all(&chunk)?;
        }
        writer.shutdown(Shutdown::Write)
    });
    let arrived = io::copy(&mut reader, &mut io::sink())?;
    sender
        .join()
        .map_err(|_| io::Error::other("the sender panicked"))??;
    match arrived == (bytes / CHUNK * CHUNK) as u64 {
        true => Ok(()),
        false => Err(io::Error::other(format!(
            "{arrived} of {bytes} bytes came back"
        ))),
    }
}

/// Opens connections one after the other: a message, its echo, then both ends close.
pub(super) fn connections(to: SocketAddr, count: usize) -> io::Result<()> {
    (0..count).try_for_each(|_| {
        let mut stream = greet(to)?;
        stream.shutdown(Shutdown::Write)?;
        match stream.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(io::Error::other("bytes arrived after the answer")),
        }
    })
}

/// Sends requests one after the other on one connection. Returns the duration of each in
/// microseconds.
pub(super) fn requests(to: SocketAddr, count: usize) -> io::Result<Vec<f64>> {
    let mut stream = greet(to)?;
    let request = |_| {
        let start = Instant::now();
        talk(&mut stream)?;
        Ok(start.elapsed().as_secs_f64() * 1e6)
    };
    (0..count).map(request).collect()
}

/// Opens connections, sends a message on each and leaves them open.
pub(crate) fn hold(to: SocketAddr, count: usize) -> io::Result<Vec<TcpStream>> {
    let client = |n: usize| {
        let share = count / CLIENTS + usize::from(n < count % CLIENTS);
        move || {
            (0..share)
                .map(|_| greet(to))
                .collect::<io::Result<Vec<_>>>()
        }
    };
    let clients: Vec<_> = (0..CLIENTS).map(|n| thread::spawn(client(n))).collect();
    let mut held = Vec::with_capacity(count);
    for client in clients {
        let panicked = |_| io::Error::other("a client panicked");
        held.extend(client.join().map_err(panicked)??);
    }
    Ok(held)
}

fn greet(to: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = connect(to)?;
    talk(&mut stream)?;
    Ok(stream)
}

/// Sends a message and reads its echo.
pub(crate) fn talk(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(&MESSAGE)?;
    stream.read_exact(&mut MESSAGE.clone())
}

fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(to)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}
