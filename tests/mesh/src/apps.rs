//! Small TCP servers with one habit each.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::acceptor::Acceptor;
use crate::error::Result;

/// A server that does the same with every connection.
#[derive(Debug)]
pub struct App {
    acceptor: Acceptor,
}

impl App {
    /// Serves every connection with `habit`; when that returns, the connection is closed.
    ///
    /// # Errors
    /// No port or thread is to be had.
    pub fn start(
        habit: impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let acceptor = Acceptor::start(move |stream| {
            // A client that goes away is not the server's failure.
            let _gone = habit(&stream);
        })?;
        Ok(Self { acceptor })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }
}

/// Sends back what it gets, until the client ends its direction.
///
/// # Errors
/// The connection broke.
pub fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut writer = stream;
    io::copy(&mut stream, &mut writer)?;
    stream.shutdown(Shutdown::Write)
}

/// Reads until the client ends its direction, then answers with the number of bytes: `<n> bytes\n`.
///
/// # Errors
/// The connection broke.
pub fn length(mut stream: &TcpStream) -> io::Result<()> {
    let bytes = io::copy(&mut stream, &mut io::sink())?;
    stream.write_all(format!("{bytes} bytes\n").as_bytes())
}

/// Speaks first, then echoes.
pub fn greeting(text: &'static [u8]) -> impl Fn(&TcpStream) -> io::Result<()> + Send + Sync {
    move |mut stream| {
        stream.write_all(text)?;
        echo(stream)
    }
}

/// Answers every line with `hello <line>`.
///
/// # Errors
/// The connection broke.
pub fn hello(mut stream: &TcpStream) -> io::Result<()> {
    let mut line = Vec::new();
    for byte in io::BufReader::new(stream).bytes() {
        line.push(byte?);
        if line.ends_with(b"\n") {
            stream.write_all(&[b"hello ".as_slice(), &line].concat())?;
            line.clear();
        }
    }
    Ok(())
}

/// Reads the client's first bytes, then sends `size` pseudo-random bytes and closes.
pub fn source(size: usize) -> impl Fn(&TcpStream) -> io::Result<()> + Send + Sync {
    move |mut stream| {
        let _first = stream.read(&mut [0; 1024])?;
        stream.write_all(&noise(1, size))
    }
}

/// Resets the connection at the first byte.
///
/// # Errors
/// The connection broke.
pub fn reset(mut stream: &TcpStream) -> io::Result<()> {
    let _first = stream.read(&mut [0; 1])?;
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Pseudo-random bytes: the same for the same seed, and not compressible into a pattern that hides a shift.
#[must_use]
pub fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let words = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    });
    words.flatten().take(size).collect()
}
