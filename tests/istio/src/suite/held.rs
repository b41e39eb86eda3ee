//! Connections that stay open.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};

use mesh::error::Context;

use super::application::{START, TIMEOUT};
use super::visit::{Visits, resume};
use crate::error::Result;
use crate::kubelet::Pod;

/// Open connections of a client, which has sent the beginning of its text in each.
#[derive(Debug)]
pub(super) struct Held(Vec<TcpStream>);

impl Held {
    /// Opens connections from a pod.
    pub(super) fn open(client: &Pod, address: SocketAddr, number: u64) -> Result<Self> {
        let connect = || -> io::Result<TcpStream> {
            let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
            stream.set_read_timeout(Some(TIMEOUT))?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            stream.write_all(START.as_bytes())?;
            Ok(stream)
        };
        client.inside(|| {
            let streams: io::Result<_> = (0..number).map(|_| connect()).collect();
            let streams = streams.context(|| format!("cannot connect to {address}"))?;
            Ok(Self(streams))
        })
    }

    /// Sends the rest of each text, and checks the answers.
    pub(super) fn finish(self, visits: &mut Visits) {
        for stream in self.0 {
            let id = visits.made;
            visits.add(id, resume(stream, id));
        }
    }
}
