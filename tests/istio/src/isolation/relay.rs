//! The way from this machine to a server in the namespaces.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::thread;

use mesh::acceptor::Acceptor;
use mesh::error::Context;

use crate::error::Result;
use crate::namespace;

/// A listener on 127.0.0.1 outside of the namespaces, which passes connections on to a port of
/// 127.0.0.1 inside. Dropping it stops the listener.
#[derive(Debug)]
pub struct Relay {
    acceptor: Acceptor,
    /// The network namespace, once it exists.
    namespace: Arc<OnceLock<PathBuf>>,
}

impl Relay {
    /// Listens on a port that the system picks.
    ///
    /// # Errors
    /// The listener cannot be created.
    pub fn start(inside: u16) -> Result<Self> {
        let namespace: Arc<OnceLock<PathBuf>> = Arc::default();
        let known = Arc::clone(&namespace);
        let acceptor = Acceptor::start(move |stream| {
            // A connection before the namespace exists is closed, as one to a server that is not
            // there.
            if let Some(namespace) = known.get() {
                let _broken = pass_on(&stream, namespace, inside);
            }
        })?;
        Ok(Self {
            acceptor,
            namespace,
        })
    }

    /// The port outside.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.acceptor.address().port()
    }

    /// Uses the network namespace of a process.
    pub(super) fn enter(&self, process: u32) {
        let path = PathBuf::from(format!("/proc/{process}/ns/net"));
        // There is one process per run.
        let _first = self.namespace.set(path);
    }
}

fn pass_on(outer: &TcpStream, namespace: &Path, port: u16) -> Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let inner = namespace::inside(namespace, || {
        let stream = TcpStream::connect(address);
        Ok(stream.context(|| format!("cannot connect to {address}"))?)
    })?;
    thread::scope(|scope| {
        scope.spawn(|| copy(outer, &inner));
        copy(&inner, outer);
    });
    Ok(())
}

/// Copies one direction and ends it.
fn copy(mut from: &TcpStream, mut to: &TcpStream) {
    // The other end sees an error as the end of the direction.
    let _broken = io::copy(&mut from, &mut to);
    let _closed = to.shutdown(std::net::Shutdown::Write);
}
