//! The client and the server application.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;

use super::{answer_bytes, ask_bytes};
use crate::error::{Error, Result};

/// A server that answers all bytes that arrive together with the same bytes.
pub(super) struct Server(SocketAddr);

impl Server {
    /// Starts the server. It ends with this process.
    pub(super) fn start() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(socket("listen"))?;
        let address = listener.local_addr().map_err(socket("listen"))?;
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || answer(stream));
            }
        });
        Ok(Self(address))
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.0
    }
}

/// An error of this connection is one that the client sees too.
fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut bytes = vec![0; ask_bytes().len()];
    while stream.read(&mut bytes)? > 0 {
        stream.write_all(answer_bytes())?;
    }
    Ok(())
}

/// A client's connection.
pub(super) struct Client(TcpStream);

impl Client {
    pub(super) fn connect(proxy: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(proxy).map_err(socket("connect"))?;
        Ok(Self(stream))
    }

    /// Writes bytes and reads the answer.
    pub(super) fn ask(&mut self, bytes: &[u8]) -> Result<()> {
        self.0.write_all(bytes).map_err(socket("write"))?;
        let mut answer = vec![0; answer_bytes().len()];
        self.0.read_exact(&mut answer).map_err(socket("read"))
    }

    /// Ends the client's half and waits for the end of the other.
    pub(super) fn end(&mut self) -> Result<()> {
        self.0.shutdown(Shutdown::Write).map_err(socket("end"))?;
        let mut rest = Vec::new();
        self.0.read_to_end(&mut rest).map_err(socket("read"))?;
        Ok(())
    }
}

fn socket(what: &'static str) -> impl Fn(io::Error) -> Error {
    move |source| Error::Socket { what, source }
}
