//! A connection in one proxy.

use crate::case::{Both, Case, End, Extra, Host, Mode, Proxy, Security};
use crate::wire::{MAGIC, judge, proxy_frame};

const HEADER: usize = 8;
const DEFAULT_CAP: u32 = 64 * 1024;
const DEFAULT_REFUSED_SECONDS: u16 = 300;

/// A receiver's result for the stream so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Head {
    /// More bytes are needed; all are held.
    Undecided,
    /// There is no frame: all bytes pass.
    Absent,
    /// The stream ended within the header: all bytes pass.
    CutInHeader,
    /// The stream ended within the payload: it is dropped.
    CutInPayload,
    /// The length is over the cap: the connection is closed.
    TooLarge,
    /// A frame of this length with this result; the bytes after it pass.
    Frame(usize, &'static str),
}

impl Head {
    fn of(stream: &[u8], ended: bool, cap: u32) -> Self {
        let magic = stream.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic);
        if !magic || (stream.is_empty() && ended) {
            return Self::Absent;
        }
        let Some((header, rest)) = stream.split_first_chunk::<HEADER>() else {
            return if ended {
                Self::CutInHeader
            } else {
                Self::Undecided
            };
        };
        let [_, _, _, _, length @ ..] = *header;
        let length = u32::from_be_bytes(length);
        if length > cap {
            return Self::TooLarge;
        }
        match rest.get(..length as usize) {
            Some(payload) => Self::Frame(HEADER + payload.len(), judge(payload)),
            None if ended => Self::CutInPayload,
            None => Self::Undecided,
        }
    }

    /// The part of the stream that passes.
    fn passes(self, stream: &[u8]) -> &[u8] {
        match self {
            Self::Absent | Self::CutInHeader => stream,
            Self::Frame(length, _) => stream.get(length..).unwrap_or_default(),
            Self::Undecided | Self::CutInPayload | Self::TooLarge => &[],
        }
    }

    fn result(self) -> Option<&'static str> {
        match self {
            Self::Undecided => None,
            Self::Absent => Some("absent"),
            Self::CutInHeader | Self::CutInPayload => Some("truncated"),
            Self::TooLarge => Some("too_large"),
            Self::Frame(_, judgement) => Some(judgement),
        }
    }
}

/// One direction of a connection, as a proxy receives it.
#[derive(Debug, Default)]
pub(super) struct Half {
    seen: Vec<u8>,
    pub(super) begun: bool,
    pub(super) ended: bool,
    /// The number of payload bytes that passed.
    pub(super) passed: usize,
}

/// The state of the client's proxy that outlasts a connection.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    /// The time in milliseconds until which the server gets no frame.
    refused_until: u64,
}

/// A connection in one proxy.
#[derive(Debug)]
pub(super) struct Hop<'a> {
    case: &'a Case,
    pub(super) proxy: &'a Proxy,
    /// The application of the proxy, whose bytes follow the proxy's frame.
    beside: End,
    /// The bytes of the client and of the server.
    pub(super) halves: Both<Half>,
    /// Whether the server was known to refuse frames at the first bytes.
    refused: Option<bool>,
    wrote: bool,
    pub(super) closed: bool,
}

impl<'a> Hop<'a> {
    pub(super) fn new(case: &'a Case, proxy: &'a Proxy, beside: End) -> Self {
        Self {
            case,
            proxy,
            beside,
            halves: Both::default(),
            refused: None,
            wrote: false,
            closed: false,
        }
    }

    /// "Reads if" of the table.
    fn reads(&self) -> bool {
        let peer_seen = match (self.case.security, self.beside) {
            (Security::Plain, _) => false,
            (Security::Mesh, _) => true,
            // The table requires a SPIFFE identity outbound and mutual TLS inbound.
            (Security::Foreign, beside) => beside == End::Server,
            (Security::ServerOnly, beside) => beside == End::Client,
        };
        match self.proxy.mode() {
            Mode::On => true,
            Mode::Auto | Mode::Receive => peer_seen,
            Mode::Off => false,
        }
    }

    /// "Writes if" of the table.
    fn writes(&self) -> bool {
        match (self.proxy.mode(), self.beside) {
            (Mode::On, _) => true,
            (Mode::Auto, End::Client) => {
                self.reads() && self.case.host != Host::Silent && self.refused != Some(true)
            }
            (Mode::Auto, End::Server) => matches!(self.head(), Some(Head::Frame(..))),
            (Mode::Receive | Mode::Off, _) => false,
        }
    }

    /// The result for the peer's stream, or `None` if the proxy does not read frames.
    fn head(&self) -> Option<Head> {
        let half = self.halves.of(self.beside.other());
        let cap = self.proxy.max_frame_bytes.unwrap_or(DEFAULT_CAP);
        self.reads().then(|| Head::of(&half.seen, half.ended, cap))
    }

    /// Handles bytes, the end of their half, or both. Returns the bytes that pass.
    pub(super) fn on_data(
        &mut self,
        from: End,
        bytes: &[u8],
        end: bool,
        now: u64,
        memory: &mut Memory,
    ) -> Vec<u8> {
        if self.refused.is_none() {
            let would_write =
                self.beside == End::Client && self.proxy.mode() == Mode::Auto && self.writes();
            self.refused = Some(would_write && now < memory.refused_until);
        }
        let half = self.halves.of_mut(from);
        half.seen.extend(bytes);
        half.ended |= end;
        let first = !std::mem::replace(&mut half.begun, true);
        if !self.proxy.is_active() {
            return bytes.to_vec();
        }
        let mut payload = bytes.to_vec();
        if let Some(head) = self.head().filter(|_| from != self.beside) {
            let half = self.halves.of_mut(from);
            let passes = head.passes(&half.seen);
            payload = passes.get(half.passed..).unwrap_or_default().to_vec();
            let answers = half.passed == 0 && !bytes.is_empty();
            if head == Head::TooLarge {
                self.closed = true;
            }
            if head == Head::Absent && answers && self.wrote && self.beside == End::Client {
                let seconds = self
                    .proxy
                    .refused_seconds
                    .unwrap_or(DEFAULT_REFUSED_SECONDS);
                memory.refused_until = memory.refused_until.max(now + u64::from(seconds) * 1_000);
            }
        }
        self.halves.of_mut(from).passed += payload.len();
        if from == self.beside && first && self.writes() {
            self.wrote = true;
            let name = if from == End::Client {
                "client"
            } else {
                "server"
            };
            payload.splice(..0, proxy_frame(name, self.proxy.exchange_keys));
        }
        payload
    }

    /// The result of the exchange; `None` until it ends.
    pub(super) fn result(&self) -> Option<&'static str> {
        let peer = self.halves.of(self.beside.other());
        match self.head() {
            None if self.closed || self.has_decided() => Some("not_attempted"),
            None => None,
            Some(Head::Absent) if self.refused == Some(true) => Some("suppressed"),
            Some(Head::Undecided) if !self.closed => None,
            Some(Head::Undecided) if !peer.seen.is_empty() => Some("truncated"),
            Some(Head::Undecided) if !self.has_decided() => Some("not_attempted"),
            Some(Head::Undecided) if self.refused == Some(true) => Some("suppressed"),
            Some(Head::Undecided) => Some("absent"),
            Some(head) => head.result(),
        }
    }

    /// Whether the filter has decided if it exchanges: at the first bytes, but in the server's
    /// proxy at the client's first bytes, unless its mode is `on`.
    fn has_decided(&self) -> bool {
        let begun = self.halves.any(|half| half.begun);
        match self.beside {
            End::Client => begun,
            End::Server => {
                self.halves.of(End::Client).begun || begun && self.proxy.mode() == Mode::On
            }
        }
    }

    /// Whether the labels of an open connection freeze at a tick: not while the downstream
    /// handshake may be unfinished, and the connection of a client without a certificate looks
    /// unfinished until its first bytes.
    pub(super) fn is_shown(&self) -> bool {
        let anonymous = self.case.security == Security::ServerOnly && self.beside == End::Server;
        self.proxy.extra != Extra::OnlyAtClose && (!anonymous || self.halves.of(End::Client).begun)
    }

    /// Whether a second frame directly follows the first.
    pub(super) fn has_duplicate(&self) -> bool {
        let seen = &self.halves.of(self.beside.other()).seen;
        match self.head() {
            Some(Head::Frame(length, _)) => seen
                .get(length..)
                .is_some_and(|behind| behind.starts_with(&MAGIC)),
            _ => false,
        }
    }
}
