//! The actions of applications, and those of both at once.

use std::fmt;

use schemars::JsonSchema;
use serde::Deserialize;

use super::interleaving::Interleaving;
use super::roles::End;
use crate::bytes::Bytes;

/// An action of an application.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Act {
    /// The connection.
    #[serde(default)]
    pub connection: String,
    /// The bytes to write.
    #[serde(default)]
    pub write: Option<Bytes>,
    /// Whether to end its half afterwards.
    #[serde(default)]
    pub end: bool,
    /// Whether to close the socket afterwards.
    #[serde(default)]
    pub close: bool,
    /// Whether to reset the connection.
    #[serde(default)]
    pub reset: bool,
}

/// Actions of which none waits for another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct AtOnce {
    acts: Vec<Acting>,
    #[serde(skip)]
    pub(super) order: Order,
}

/// An application and its action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Acting {
    Client(Act),
    Server(Act),
}

/// The order in which the proxies of a path see what both applications do at once. The actions of
/// one application stay in their order.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum Order {
    /// Each proxy sees its own application first: the bytes cross between the proxies.
    #[default]
    Crossing,
    /// All proxies see the client first.
    ClientFirst,
    /// All proxies see the server first.
    ServerFirst,
    /// The server's proxy sees the server before the TLS handshake is complete. Then the bytes
    /// cross.
    BeforeHandshake,
    /// One of the applications acts more than once: the actions of the other are between its own, in
    /// each proxy at another place.
    Interleaved(Interleaving),
}

impl Act {
    /// Returns an action that only writes, on the connection without a name.
    pub fn writing(bytes: Bytes) -> Self {
        Self {
            connection: String::new(),
            write: Some(bytes),
            end: false,
            close: false,
            reset: false,
        }
    }
}

impl AtOnce {
    /// Returns the actions, those of the application that all proxies see first in front.
    pub fn acts(&self) -> impl Iterator<Item = (End, &Act)> {
        let of = |end| {
            let acts = self.acts.iter().map(Acting::parts);
            acts.filter(move |(by, _)| *by == end)
        };
        let [first, second] = match self.order {
            Order::ServerFirst => [End::Server, End::Client],
            _ => [End::Client, End::Server],
        };
        of(first).chain(of(second))
    }

    /// Returns the order.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The numbers of actions of client and server, if all are on the same connection.
    pub(super) fn counts(&self) -> Option<[usize; 2]> {
        let mut names = self.acts().map(|(_, act)| &act.connection);
        let first = names.next()?;
        let count = |end| self.acts().filter(|(by, _)| *by == end).count();
        names
            .all(|name| name == first)
            .then(|| [count(End::Client), count(End::Server)])
    }

    /// The first bytes of the server on this connection.
    pub(super) fn greeting(&mut self, connection: &str) -> Option<&mut Act> {
        let server = self.acts.iter_mut().find_map(|acting| match acting {
            Acting::Server(act) => Some(act),
            Acting::Client(_) => None,
        });
        server.filter(|act| act.connection == connection && act.write.is_some() && !act.reset)
    }
}

impl Acting {
    fn parts(&self) -> (End, &Act) {
        match self {
            Self::Client(act) => (End::Client, act),
            Self::Server(act) => (End::Server, act),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crossing => "the bytes cross",
            Self::ClientFirst => "the client's bytes first",
            Self::ServerFirst => "the server's bytes first",
            Self::BeforeHandshake => "the server's bytes before the TLS handshake",
            Self::Interleaved(interleaving) => return interleaving.fmt(f),
        })
    }
}
