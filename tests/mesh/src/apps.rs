//! Small TCP servers, each with one fixed behaviour.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::acceptor::Acceptor;
use crate::error::Result;

/// A server that handles every connection in the same way.
#[derive(Debug)]
pub struct App {
    acceptor: Acceptor,
}

impl App {
    /// Calls `habit` with every connection and closes the connection when it returns.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start(
        habit: impl Fn(&TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Result<Self> {
        let acceptor = Acceptor::start(move |stream| {
            // A client may disconnect at any time.
            let _gone = habit(&stream);
        })?;
        Ok(Self { acceptor })
    }

    /// The address of the listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.acceptor.address()
    }
}

/// Sends received bytes back, until the client ends its direction.
///
/// # Errors
/// The connection failed.
pub fn echo(mut stream: &TcpStream) -> io::Result<()> {
    let mut writer = stream;
    io::copy(&mut stream, &mut writer)?;
    stream.shutdown(Shutdown::Write)
}

/// Reads until the client ends its direction, then answers with the number of bytes: `<n> bytes\n`.
///
/// # Errors
/// The connection failed.
pub fn length(mut stream: &TcpStream) -> io::Result<()> {
    let bytes = io::copy(&mut stream, &mut io::sink())?;
    stream.write_all(format!("{bytes} bytes\n").as_bytes())
}

/// Sends `text` first, then echoes.
pub fn greeting(text: &'static [u8]) -> impl Fn(&TcpStream) -> io::Result<()> + Send + Sync {
    move |mut stream| {
        stream.write_all(text)?;
        echo(stream)
    }
}

/// Answers every line with `hello <line>`.
///
/// # Errors
/// The connection failed.
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

/// Resets the connection when the first byte arrives.
///
/// # Errors
/// The connection failed.
pub fn reset(mut stream: &TcpStream) -> io::Result<()> {
    let _first = stream.read(&mut [0; 1])?;
    SockRef::from(stream).set_linger(Some(Duration::ZERO))
}

/// Pseudo-random bytes, the same for the same seed. They have no pattern that could hide a shift.
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
