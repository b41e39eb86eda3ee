//! A TCP connection, with or without TLS on it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::{client, server};

/// Something to read from and write to, on a socket.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Unpin {
    /// The socket.
    fn socket(&self) -> &TcpStream;
}

impl Stream for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }
}

impl Stream for Inspected {
    fn socket(&self) -> &TcpStream {
        &self.socket
    }
}

impl Stream for client::TlsStream<TcpStream> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Stream for server::TlsStream<Inspected> {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0.socket()
    }
}

/// A socket whose first bytes have been looked at, and are read again.
#[derive(Debug)]
pub(crate) struct Inspected {
    seen: Vec<u8>,
    socket: TcpStream,
}

impl Inspected {
    /// Nothing has been looked at.
    pub(crate) fn new(socket: TcpStream) -> Self {
        Self {
            seen: Vec::new(),
            socket,
        }
    }

    /// What has been looked at.
    pub(crate) fn seen(&self) -> &[u8] {
        &self.seen
    }

    /// Looks at more; how much came, and 0 at the end.
    pub(crate) async fn look(&mut self) -> io::Result<usize> {
        self.socket.read_buf(&mut self.seen).await
    }
}

impl AsyncRead for Inspected {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.seen.is_empty() {
            return Pin::new(&mut self.socket).poll_read(context, buffer);
        }
        let size = buffer.remaining().min(self.seen.len());
        buffer.put_slice(self.seen.get(..size).unwrap_or_default());
        self.seen.drain(..size);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Inspected {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}
