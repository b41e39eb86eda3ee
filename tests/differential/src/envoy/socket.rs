//! The applications' sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use socket2::SockRef;

use crate::observed::Arrived;
use crate::scenario::Act;

/// An application's end of a connection: `None` before it is connected and after it closed.
#[derive(Default)]
pub(super) struct Socket {
    stream: Option<TcpStream>,
    connected: bool,
    ended: bool,
}

impl Socket {
    /// Connects to a proxy. Returns the socket and its local address.
    pub(super) fn connect(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let stream = TcpStream::connect(address)?;
        let local = stream.local_addr()?;
        Ok((Self::accepted(stream)?, local))
    }

    pub(super) fn accepted(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream: Some(stream),
            connected: true,
            ended: false,
        })
    }

    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// Performs an act, which is one segment on the wire, and so one read event. A closed
    /// connection is not an error here: [`Self::drain`] returns its effects.
    pub(super) fn act(&mut self, act: &Act) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let done = match act {
            Act::Write(bytes) => stream.write_all(bytes),
            Act::WriteAndEnd(bytes) => write_and_end(stream, bytes),
            Act::End => stream.shutdown(Shutdown::Write),
            Act::Close => {
                self.stream = None;
                Ok(())
            }
            Act::Reset => {
                let done = SockRef::from(&*stream).set_linger(Some(Duration::ZERO));
                self.stream = None;
                done
            }
        };
        match done {
            Err(error) if is_gone(&error) => Ok(()),
            done => done,
        }
    }

    /// Reads all bytes and events that have arrived.
    pub(super) fn drain(&mut self, arrived: &mut Arrived) -> io::Result<()> {
        let Some(stream) = &mut self.stream else {
            return Ok(());
        };
        let mut chunk = [0; 16 * 1024];
        while !self.ended {
            match stream.read(&mut chunk) {
                Ok(0) => {
                    arrived.end = true;
                    self.ended = true;
                }
                Ok(size) => arrived.bytes.extend(chunk.iter().take(size)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if is_gone(&error) => {
                    arrived.reset = true;
                    self.stream = None;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        // After FIN a reset does not show in read().
        if self.ended && matches!(stream.take_error(), Ok(Some(_))) {
            arrived.reset = true;
            self.stream = None;
        }
        Ok(())
    }
}

fn is_gone(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::NotConnected
    )
}

/// A corked socket sends the bytes together with FIN.
fn write_and_end(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    SockRef::from(&*stream).set_tcp_cork(true)?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)
}
