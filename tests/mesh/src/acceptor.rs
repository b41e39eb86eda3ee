//! A listener with a thread per connection.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use crate::error::{Context, Result};

/// Accepts connections until it is dropped. Running handlers continue after that.
#[derive(Debug)]
pub struct Acceptor {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Acceptor {
    /// Listens on a port of 127.0.0.1 and calls `handler` with each connection, in a thread of its
    /// own.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start(handler: impl Fn(TcpStream) + Send + Sync + 'static) -> Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), handler)
    }

    /// As [`Self::start`], on another address.
    ///
    /// # Errors
    /// The listener or the thread cannot be created.
    pub fn start_at(
        address: SocketAddr,
        handler: impl Fn(TcpStream) + Send + Sync + 'static,
    ) -> Result<Self> {
        let what = || format!("cannot listen on {address}");
        let listener = TcpListener::bind(address).context(what)?;
        let address = listener.local_addr().context(what)?;
        let stopping = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopping);
        let thread = thread::Builder::new()
            .name("acceptor".into())
            .spawn(move || accept(&listener, &stop, &Arc::new(handler)))
            .context(|| "cannot start a thread")?;
        Ok(Self {
            address,
            stopping,
            thread: Some(thread),
        })
    }

    /// The address of the listener.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Acceptor {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        // The connection wakes the thread. If it fails, the thread is not joined, as that could
        // block.
        if TcpStream::connect(self.address).is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ended = thread.join();
        }
    }
}

fn accept(
    listener: &TcpListener,
    stop: &AtomicBool,
    handler: &Arc<impl Fn(TcpStream) + Send + Sync + 'static>,
) {
    for stream in listener.incoming() {
        if stop.load(Ordering::SeqCst) {
            return;
        }
        let handler = Arc::clone(handler);
        let handled: io::Result<_> = stream.and_then(|stream| {
            stream.set_nodelay(true)?;
            thread::Builder::new()
                .name("connection".into())
                .spawn(move || handler(stream))
        });
        // An error here affects only the client of this connection.
        drop(handled);
    }
}
