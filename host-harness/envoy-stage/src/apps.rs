//! The applications at both ends: sockets whose received bytes are collected.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use socket2::SockRef;

/// The pause between two pieces. TCP does not join pieces with this pause.
const BETWEEN_PIECES: Duration = Duration::from_millis(2);

/// The time limit of a write. A proxy that does not read for so long does not read at all.
const WRITE_LIMIT: Duration = Duration::from_secs(20);

/// One end of a connection.
pub(crate) struct App {
    /// `None` after the application closed the socket or reset the connection.
    stream: Option<TcpStream>,
    /// The thread that reads. It has a handle of the socket.
    reader: Option<JoinHandle<()>>,
    seen: Arc<Mutex<Seen>>,
    /// The maximum size of a write, in bytes. Longer writes are cut.
    piece: usize,
}

/// The received bytes, and whether the stream ended.
#[derive(Default)]
struct Seen {
    bytes: Vec<u8>,
    ended: bool,
}

/// The listening socket of the server application.
pub(crate) struct Server {
    listener: TcpListener,
}

impl App {
    pub(crate) fn new(stream: TcpStream, piece: Option<usize>) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(WRITE_LIMIT))?;
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (reader, arrivals) = (stream.try_clone()?, Arc::clone(&seen));
        let reader = thread::Builder::new().spawn(move || collect(reader, &arrivals))?;
        Ok(Self {
            stream: Some(stream),
            reader: Some(reader),
            seen,
            piece: piece.unwrap_or(usize::MAX),
        })
    }

    /// Writes bytes. After the other end has closed the connection they are lost, as are those that
    /// the proxy does not read.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if_open(self.write_pieces(bytes))
    }

    fn write_pieces(&mut self, bytes: &[u8]) -> io::Result<()> {
        for (index, piece) in bytes.chunks(self.piece).enumerate() {
            if index > 0 {
                thread::sleep(BETWEEN_PIECES);
            }
            self.stream()?.write_all(piece)?;
        }
        Ok(())
    }

    pub(crate) fn end(&mut self) -> io::Result<()> {
        if_open(self.stream()?.shutdown(Shutdown::Write))
    }

    /// Closes the socket. Bytes that arrive later are answered with a reset.
    pub(crate) fn close(&mut self) -> io::Result<()> {
        if let Some(stream) = self.stream.take() {
            self.leave(stream, Shutdown::Both)?;
        }
        Ok(())
    }

    /// Resets the connection. Unsent bytes are dropped.
    pub(crate) fn reset(&mut self) -> io::Result<()> {
        if let Some(stream) = self.stream.take() {
            SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
            self.leave(stream, Shutdown::Read)?;
        }
        Ok(())
    }

    /// Closes both handles of the socket: the kernel closes it with the last one. The shutdown ends
    /// the thread that reads.
    fn leave(&mut self, stream: TcpStream, how: Shutdown) -> io::Result<()> {
        if_open(stream.shutdown(how))?;
        drop(stream);
        match self.reader.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(io::Error::other("the thread that reads panicked")),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn stream(&mut self) -> io::Result<&mut TcpStream> {
        self.stream
            .as_mut()
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    pub(crate) fn received(&self) -> Vec<u8> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .bytes
            .clone()
    }

    pub(crate) fn ended(&self) -> bool {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .ended
    }
}

/// An operation on a connection that the other end has closed has no effect.
fn if_open(done: io::Result<()>) -> io::Result<()> {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected};
    match done {
        Err(error)
            if [BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected]
                .contains(&error.kind()) =>
        {
            Ok(())
        }
        done => done,
    }
}

impl Server {
    pub(crate) fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        Ok(Self { listener })
    }

    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Accepts the next connection from the proxies. `None`: there is none within this time, or
    /// there will be none, as `is_over` tells.
    pub(crate) fn accept(
        &self,
        within: Duration,
        is_over: impl Fn() -> bool,
    ) -> io::Result<Option<TcpStream>> {
        let started = Instant::now();
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(false)?;
                    return Ok(Some(stream));
                }
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                Err(_) if started.elapsed() >= within || is_over() => return Ok(None),
                Err(_) => thread::sleep(BETWEEN_PIECES),
            }
        }
    }
}

fn collect(mut stream: TcpStream, seen: &Mutex<Seen>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer);
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        match read {
            Ok(0) | Err(_) => {
                seen.ended = true;
                return;
            }
            Ok(len) => seen
                .bytes
                .extend_from_slice(buffer.get(..len).unwrap_or_default()),
        }
    }
}
