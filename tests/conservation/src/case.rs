//! A case: two proxies, their configuration, and the events of two applications.

mod proxy;

pub use self::proxy::{Extra, Mode, Proxy};
use crate::wire::{MAGIC, Payload};

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub struct Case {
    /// The transport between the proxies.
    pub security: Security,
    /// The configuration of the first server's cluster in the client's proxy.
    pub host: Host,
    /// The number of VMs in the client's proxy. They share their shared data.
    pub workers: usize,
    /// The client's proxy.
    pub outbound: Proxy,
    /// The proxy of every server, until a connection replaces it.
    pub inbound: Proxy,
    /// One connection after the other, unless they overlap.
    pub connections: Vec<Connection>,
}

/// The transport between the proxies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// TCP.
    Plain,
    /// Mutual TLS between SPIFFE identities.
    Mesh,
    /// Mutual TLS between identities of another kind.
    Foreign,
    /// TLS to a server with a SPIFFE identity, from a client without a certificate.
    ServerOnly,
}

/// The configuration of a server's cluster in the client's proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Nothing.
    Unlisted,
    /// It is in `peer_exchange.clusters`.
    Listed,
}

/// A server, as the client's proxy sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Server {
    /// The one of the cluster that may be listed.
    First,
    /// Another address of that cluster.
    OtherAddress,
    /// Another cluster with the first server's address.
    OtherCluster,
}

/// The events of a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Its server.
    pub to: Server,
    /// The proxy that replaces the server's before it.
    pub replacement: Option<Proxy>,
    /// Whether the events of this connection and of the one before take turns.
    pub overlaps: bool,
    /// The server's first bytes, before any other event.
    pub greeting: Vec<Piece>,
    /// The events after it.
    pub steps: Vec<Step>,
    /// Whether both applications end their halves at the end, unless the connection is closed.
    pub polite: bool,
}

/// An event.
#[allow(missing_docs, reason = "the variant says what the fields are")]
#[derive(Clone, Debug)]
pub enum Step {
    /// An application writes.
    Write {
        by: End,
        pieces: Vec<Piece>,
        /// The size of the chunks in bytes; 0 for a single one.
        chunk: usize,
        /// Whether its half ends with the last chunk.
        end: bool,
    },
    /// An application resets the connection.
    Reset(End),
    /// Time passes, in milliseconds.
    Wait(u16),
}

/// One of the applications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names say it")]
pub enum End {
    Client,
    Server,
}

/// Some bytes.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Any.
    Bytes(Vec<u8>),
    /// One byte, repeated.
    Bulk(u16),
    /// The first bytes of the magic.
    Magic(usize),
    /// The header of a frame with this length.
    Header(u32),
    /// A whole frame.
    Frame(Payload),
    /// The first bytes of a frame.
    Cut(Payload, usize),
}

impl Piece {
    /// The bytes of several pieces.
    pub fn concat(pieces: &[Self]) -> Vec<u8> {
        pieces.iter().flat_map(Self::bytes).collect()
    }

    /// Whether it begins like a frame that no proxy has written.
    fn is_forged(&self) -> bool {
        !matches!(self, Self::Bytes(_) | Self::Bulk(_))
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.clone(),
            Self::Bulk(times) => vec![b'.'; usize::from(*times)],
            Self::Magic(length) => MAGIC.iter().copied().take(*length).collect(),
            Self::Header(length) => [MAGIC, length.to_be_bytes()].concat(),
            Self::Frame(payload) => payload.frame(),
            Self::Cut(payload, length) => payload.frame().into_iter().take(*length).collect(),
        }
    }
}

impl Connection {
    /// The number of resets, and of an application's pieces that begin like a frame.
    pub fn faults(&self) -> usize {
        let forged = |pieces: &[Piece]| pieces.iter().filter(|piece| piece.is_forged()).count();
        let steps = self.steps.iter().map(|step| match step {
            Step::Write { pieces, .. } => forged(pieces),
            Step::Reset(_) => 1,
            Step::Wait(_) => 0,
        });
        forged(&self.greeting) + steps.sum::<usize>()
    }
}

impl Step {
    /// An application writes, in one chunk.
    pub fn write(by: End, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces = pieces.into_iter().collect();
        Self::Write {
            by,
            pieces,
            chunk: 0,
            end: false,
        }
    }

    /// An application writes and ends its half, in one event.
    pub fn write_and_end(by: End, pieces: impl IntoIterator<Item = Piece>) -> Self {
        let pieces = pieces.into_iter().collect();
        Self::Write {
            by,
            pieces,
            chunk: 0,
            end: true,
        }
    }
}

impl From<&str> for Piece {
    fn from(text: &str) -> Self {
        Self::Bytes(text.into())
    }
}

impl From<Vec<Step>> for Connection {
    fn from(steps: Vec<Step>) -> Self {
        Self {
            to: Server::First,
            replacement: None,
            overlaps: false,
            greeting: Vec::new(),
            steps,
            polite: false,
        }
    }
}

/// A value for each application.
#[derive(Clone, Debug, Default)]
pub(crate) struct Both<T> {
    client: T,
    server: T,
}

impl<T> Both<T> {
    pub(crate) fn of(&self, end: End) -> &T {
        match end {
            End::Client => &self.client,
            End::Server => &self.server,
        }
    }

    pub(crate) fn of_mut(&mut self, end: End) -> &mut T {
        match end {
            End::Client => &mut self.client,
            End::Server => &mut self.server,
        }
    }

    pub(crate) fn any(&self, holds: impl Fn(&T) -> bool) -> bool {
        holds(&self.client) || holds(&self.server)
    }
}

impl End {
    /// The application at the other end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

impl Case {
    /// Two proxies with the filter, mutual TLS and a listed cluster. The client offers the exchange
    /// and the server's proxy knows it.
    pub fn new(connections: impl IntoIterator<Item = Connection>) -> Self {
        Self {
            security: Security::Mesh,
            host: Host::Listed,
            workers: 1,
            outbound: Proxy::default(),
            inbound: Proxy::default(),
            connections: connections.into_iter().collect(),
        }
    }

    /// Whether the client's proxy lists the cluster of a server.
    pub fn is_listed(&self, server: Server) -> bool {
        self.host == Host::Listed && server != Server::OtherCluster
    }

    /// Whether the client's proxy sees a SPIFFE id in the server's certificate.
    pub fn has_spiffe_server(&self) -> bool {
        matches!(self.security, Security::Mesh | Security::ServerOnly)
    }

    /// Whether the server's proxy sees a certificate of the client.
    pub fn has_mutual_tls(&self) -> bool {
        matches!(self.security, Security::Mesh | Security::Foreign)
    }

    /// Whether both filters write and read, with this proxy of the server. Then all bytes of the
    /// applications must pass unchanged.
    pub fn is_exchanging(&self, server: Server, inbound: &Proxy, server_first: bool) -> bool {
        let proxies = [&self.outbound, inbound];
        let active = proxies.iter().all(|proxy| proxy.is_active());
        let on = proxies.iter().all(|proxy| proxy.mode() == Mode::On);
        let auto = proxies.iter().all(|proxy| proxy.mode() == Mode::Auto)
            && self.security == Security::Mesh
            && self.is_listed(server)
            && !server_first;
        let roomy = proxies
            .iter()
            .all(|proxy| proxy.max_frame_bytes.is_none_or(|cap| cap >= 300));
        active && roomy && (on || auto)
    }
}
