//! A case: two proxies, their configuration, and what two applications do.

use crate::wire::{MAGIC, Payload};

/// Everything that a run depends on.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is between the proxies.
    pub security: Security,
    /// What the client's proxy knows of the server.
    pub host: Host,
    /// The client's proxy.
    pub outbound: Proxy,
    /// The server's proxy.
    pub inbound: Proxy,
    /// One connection after the other.
    pub connections: Vec<Connection>,
}

/// What is between the proxies.
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

/// What the client's proxy knows of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// Nothing.
    Silent,
    /// Its metadata says `tlsMode: istio`.
    TlsMode,
    /// Its cluster is on the allow-list.
    Listed,
}

/// `peer_exchange.mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the configuration's")]
pub enum Mode {
    Auto,
    On,
    Receive,
    Off,
}

/// A proxy and its configuration.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Whether it has the filter at all.
    pub filter: bool,
    /// `peer_exchange.mode`.
    pub mode: Mode,
    /// `limits.max_frame_bytes`.
    pub max_frame_bytes: Option<u32>,
    /// `peer_exchange.advertise_alpn`.
    pub advertise_alpn: bool,
    /// `peer_exchange.refused_duration`, in seconds.
    pub refused_seconds: Option<u16>,
    /// The port of its connections is one that `ports` excludes.
    pub port_excluded: bool,
    /// Its node lists a native exchange filter.
    pub native_exchange: bool,
    /// Its node lists `EXCHANGE_KEYS`.
    pub exchange_keys: bool,
    /// It is as old as Istio 1.7.
    pub legacy: bool,
    /// What else is configured.
    pub extra: Extra,
}

/// Configuration that changes metrics and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extra {
    /// Nothing.
    None,
    /// `extended_metrics`, `debug` and a definition.
    Everything,
    /// Other names and separators.
    Names,
    /// Labels added and removed.
    Labels,
    /// One metric is dropped.
    Dropped,
    /// `tcp_reporting_duration` is zero.
    OnlyAtClose,
    /// One series, and short labels.
    Tight,
}

/// What happens on a connection.
#[derive(Clone, Debug)]
pub struct Connection {
    /// What the server says before anything else.
    pub greeting: Vec<Piece>,
    /// What happens then.
    pub steps: Vec<Step>,
    /// In the end both applications end their halves, if nothing else has closed the connection.
    pub polite: bool,
}

/// One thing that happens.
#[derive(Clone, Debug)]
pub enum Step {
    /// An application writes.
    Write {
        /// Which.
        by: End,
        /// What.
        pieces: Vec<Piece>,
        /// In chunks of this many bytes; 0: in one.
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
#[allow(missing_docs, reason = "they are what they are called")]
pub enum End {
    Client,
    Server,
}

/// Some bytes.
#[derive(Clone, Debug)]
pub enum Piece {
    /// Any.
    Bytes(Vec<u8>),
    /// One byte so many times.
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

    /// It begins like a frame, and no proxy has written it.
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
    /// What is hostile about it: resets, and pieces that begin like a frame and come from an application.
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
            greeting: Vec::new(),
            steps,
            polite: false,
        }
    }
}

/// One of each application.
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

/// With the filter and its defaults.
impl Default for Proxy {
    fn default() -> Self {
        Self {
            filter: true,
            mode: Mode::Auto,
            max_frame_bytes: None,
            advertise_alpn: true,
            refused_seconds: None,
            port_excluded: false,
            native_exchange: false,
            exchange_keys: false,
            legacy: false,
            extra: Extra::None,
        }
    }
}

impl Proxy {
    /// The mode in force: a native exchange filter turns `auto` off.
    pub fn mode(&self) -> Mode {
        match (self.mode, self.native_exchange) {
            (Mode::Auto, true) => Mode::Off,
            (mode, _) => mode,
        }
    }

    /// Whether the filter is there and looks at connections.
    pub fn is_active(&self) -> bool {
        self.filter && !self.port_excluded
    }

    /// In front of every metric's name.
    pub fn prefix(&self) -> &'static str {
        match self.extra {
            Extra::Names => "mesh",
            _ => "istio",
        }
    }
}

impl Case {
    /// Two proxies with the filter and its defaults, mutual TLS and a server that takes part.
    pub fn new(connections: impl IntoIterator<Item = Connection>) -> Self {
        Self {
            security: Security::Mesh,
            host: Host::TlsMode,
            outbound: Proxy::default(),
            inbound: Proxy::default(),
            connections: connections.into_iter().collect(),
        }
    }

    /// Whether both filters write and read: no byte of any application may be touched then, whatever it looks like.
    pub fn is_exchanging(&self, server_first: bool) -> bool {
        let proxies = [&self.outbound, &self.inbound];
        let active = proxies.iter().all(|proxy| proxy.is_active());
        let on = proxies.iter().all(|proxy| proxy.mode() == Mode::On);
        let auto = proxies.iter().all(|proxy| proxy.mode() == Mode::Auto)
            && self.security == Security::Mesh
            && self.host != Host::Silent
            && !server_first;
        let roomy = proxies
            .iter()
            .all(|proxy| proxy.max_frame_bytes.is_none_or(|cap| cap >= 300));
        active && roomy && (on || auto)
    }
}
