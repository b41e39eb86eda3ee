//! Connections that stay open.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};

use mesh::error::Context;

use super::application::{END, START, TIMEOUT, answer};
use super::expect;
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

    /// Opens connections from a pod, and reads the answer to a whole text in each.
    pub(super) fn answered(client: &Pod, address: SocketAddr, number: u64) -> Result<Self> {
        let mut held = Self::open(client, address, number)?;
        let answer = answer(START.as_bytes());
        for stream in &mut held.0 {
            let mut received = vec![0; answer.len()];
            let answered = stream
                .write_all(END)
                .and_then(|()| stream.read_exact(&mut received));
            answered.context(|| format!("no answer of {address}"))?;
            expect::equal("an answer", received.as_slice(), answer.as_bytes())?;
        }
        Ok(held)
    }

    /// Sends the rest of each text, and checks the answers.
    pub(super) fn finish(self, visits: &mut Visits) {
        for stream in self.0 {
            let id = visits.made;
            visits.add(id, resume(stream, id));
        }
    }
}
