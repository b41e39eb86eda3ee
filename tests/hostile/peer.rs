//! The hostile peer: a client's conversation, and a server that sends scripted bytes.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use mesh::apps;

use crate::{background, wire};

/// The client's first byte on a connection whose server is hostile.
pub(crate) const ATTACK: &[u8] = b"!";
/// The client's first byte on the background connection.
pub(crate) const TALK: &[u8] = b"?";

/// The bytes that the server sends on each hostile connection, in order.
#[derive(Clone, Default)]
pub(crate) struct Script(Arc<Mutex<VecDeque<Vec<u8>>>>);

impl Script {
    pub(crate) fn push(&self, sends: &[u8]) {
        let mut script = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.push_back(sends.to_vec());
    }

    fn pop(&self) -> Vec<u8> {
        let mut script = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        script.pop_front().unwrap_or_default()
    }
}

/// Sends `request`, ends the direction, and returns all bytes that come back. A reset is no error.
pub(crate) fn converse(mut stream: TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let mut writer = stream.try_clone()?;
    let request = request.to_vec();
    let sending = std::thread::spawn(move || {
        let sent = writer.write_all(&request);
        sent.and_then(|()| writer.shutdown(Shutdown::Write))
    });
    let mut received = Vec::new();
    match stream.read_to_end(&mut received) {
        Err(late) if late.kind() == io::ErrorKind::WouldBlock => return Err(late),
        _end_or_reset => {}
    }
    let _reset = sending.join();
    Ok(received)
}

/// A server that echoes on background connections and sends the script's bytes on all others.
pub(crate) fn server(script: Script) -> impl Fn(&TcpStream) -> io::Result<()> + Send + Sync {
    move |mut stream| {
        let mut first = [0];
        stream.read_exact(&mut first)?;
        if first == TALK {
            stream.write_all(&wire::named(background::NAME))?;
            return apps::echo(stream);
        }
        stream.write_all(&script.pop())?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    }
}
