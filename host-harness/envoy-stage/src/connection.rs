//! A connection of a scenario: its two applications.

use std::io;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use host_harness::scenario::{Act, Connect, End, StageError};

use crate::apps::{App, Server};

/// A connection whose upstream may not be connected yet.
pub(crate) struct Connection {
    client: App,
    server: Option<App>,
    greeting: Vec<u8>,
    piece: Option<usize>,
}

impl Connection {
    pub(crate) fn new(client: TcpStream, connect: &Connect) -> io::Result<Self> {
        Ok(Self {
            client: App::new(client, connect.chunks)?,
            server: None,
            greeting: connect
                .greeting
                .as_ref()
                .map(|bytes| bytes.to_vec())
                .unwrap_or_default(),
            piece: connect.chunks,
        })
    }

    /// Accepts the server's connection, if it comes within this time. Returns whether there will be
    /// no other: it has come, or the client's connection has ended.
    pub(crate) fn accept(&mut self, server: &Server, within: Duration) -> io::Result<bool> {
        if self.server.is_none()
            && let Some(stream) = server.accept(within, || self.client.ended())?
        {
            let mut app = App::new(stream, self.piece)?;
            app.write(&self.greeting)?;
            self.server = Some(app);
        }
        Ok(self.server.is_some() || self.client.ended())
    }

    /// Whether one of the applications has not seen the end.
    pub(crate) fn is_open(&self) -> bool {
        let served = self.server.as_ref();
        !self.client.ended() || served.is_some_and(|server| !server.ended())
    }

    /// The application at this end. The server has none before the proxies are connected to it.
    pub(crate) fn app(&self, end: End) -> Option<&App> {
        match end {
            End::Client => Some(&self.client),
            End::Server => self.server.as_ref(),
        }
    }

    pub(crate) fn is_served(&self) -> bool {
        self.server.is_some()
    }

    /// Performs the actions of both applications, each in a thread of its own.
    pub(crate) fn act(&mut self, acts: &[(End, &Act)]) -> Result<(), StageError> {
        let Self { client, server, .. } = self;
        let of = |wanted| acts.iter().filter(move |(end, _)| *end == wanted);
        let (by_client, mut by_server) = (of(End::Client), of(End::Server).peekable());
        thread::scope(|scope| {
            let served = match (server, by_server.peek()) {
                (_, None) => None,
                (Some(server), Some(_)) => Some(scope.spawn(|| perform(server, by_server))),
                // The connection is over: what the server does is lost.
                (None, Some(_)) if client.ended() => None,
                (None, Some(_)) => {
                    return Err(StageError::no_server());
                }
            };
            let by_client = perform(client, by_client);
            let by_server = match served.map(thread::ScopedJoinHandle::join) {
                None => Ok(()),
                Some(Ok(done)) => done,
                Some(Err(_)) => Err(io::Error::other("it panicked")),
            };
            both(by_client, by_server)
        })
    }
}

/// The errors of both applications in one.
fn both(client: io::Result<()>, server: io::Result<()>) -> Result<(), StageError> {
    let failed = [(End::Client, client), (End::Server, server)]
        .into_iter()
        .filter_map(|(end, done)| Some(format!("the {end}: {}", done.err()?)));
    let failed: Vec<_> = failed.collect();
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(StageError::new(failed.join("; "))),
    }
}

fn perform<'a>(app: &mut App, acts: impl Iterator<Item = &'a (End, &'a Act)>) -> io::Result<()> {
    for (_, act) in acts {
        if let Some(bytes) = &act.write {
            app.write(&bytes.to_vec())?;
        }
        if act.end {
            app.end()?;
        }
        if act.close {
            app.close()?;
        }
        if act.reset {
            app.reset()?;
        }
    }
    Ok(())
}

/// The actions of each connection; the connections in the order of their first action.
pub(crate) fn by_connection<'a>(acts: &[(End, &'a Act)]) -> Vec<(&'a str, Vec<(End, &'a Act)>)> {
    let mut all: Vec<(&str, Vec<_>)> = Vec::new();
    for (end, act) in acts.iter().copied() {
        let name = act.connection.as_str();
        match all.iter_mut().find(|(known, _)| *known == name) {
            Some((_, own)) => own.push((end, act)),
            None => all.push((name, vec![(end, act)])),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_errors_of_both_applications_are_reported() {
        let failed = || Err(io::Error::other("why"));
        assert!(both(Ok(()), Ok(())).is_ok());
        let text = |client, server| both(client, server).err().map(|error| error.to_string());
        let both = "the client: why; the server: why";
        assert_eq!(text(failed(), failed()).as_deref(), Some(both));
        assert_eq!(text(Ok(()), failed()).as_deref(), Some("the server: why"));
    }
}
