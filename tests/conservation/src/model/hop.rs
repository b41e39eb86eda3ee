//! A connection in one proxy.

use std::collections::BTreeMap;

use crate::case::{Both, Case, End, Extra, Mode, Proxy, Security, Server};
use crate::wire::{MAGIC, judge, proxy_frame};

const HEADER: usize = 8;
const DEFAULT_CAP: u32 = 64 * 1024;
const DEFAULT_PROOF_SECONDS: u16 = 60;

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

/// The proofs of the client's proxy. Times are in milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Memory(BTreeMap<Server, Proof>);

/// A frame uses the proof up. The next one is the answer to it, or the server's frame on a connection
/// that was opened after it; after an answer without a frame, on one that was opened when the life of
/// a proof is over.
#[derive(Debug, Default)]
struct Proof {
    until: Option<u64>,
    used_at: Option<u64>,
}

/// Why a proxy has written its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Written {
    /// The peer is known to read frames, or the operator says so.
    Known,
    ByProof {
        at: u64,
    },
}

/// A connection in one proxy.
#[derive(Debug)]
pub(super) struct Hop<'a> {
    case: &'a Case,
    opened_at: u64,
    pub(super) proxy: &'a Proxy,
    server: Server,
    /// The application of the proxy, whose bytes follow the proxy's frame.
    beside: End,
    /// The bytes of the client and of the server.
    pub(super) halves: Both<Half>,
    written: Option<Written>,
    pub(super) unanswered: bool,
    pub(super) closed: bool,
}

impl<'a> Hop<'a> {
    pub(super) fn new(
        case: &'a Case,
        proxy: &'a Proxy,
        server: Server,
        beside: End,
        opened_at: u64,
    ) -> Self {
        Self {
            case,
            opened_at,
            proxy,
            server,
            beside,
            halves: Both::default(),
            written: None,
            unanswered: false,
            closed: false,
        }
    }

    /// Whether frames of the peer are read.
    fn reads(&self) -> bool {
        match (self.proxy.mode(), self.beside) {
            (Mode::On, _) => true,
            (Mode::Auto | Mode::Receive, End::Client) => {
                let is_tls = self.case.security != Security::Plain;
                self.case.has_spiffe_server() || is_tls && self.case.is_listed(self.server)
            }
            (Mode::Auto | Mode::Receive, End::Server) => self.case.has_mutual_tls(),
            (Mode::Off, _) => false,
        }
    }

    /// Whether and why a frame is written in front of the first bytes.
    fn writes(&self, now: u64, memory: &mut Memory) -> Option<Written> {
        let is_known = match (self.proxy.mode(), self.beside) {
            (Mode::On, _) => true,
            (Mode::Receive | Mode::Off, _) => false,
            (Mode::Auto, End::Server) if matches!(self.head(), Some(Head::Frame(..))) => true,
            (Mode::Auto, End::Server) => {
                let has_spiffe = self.case.has_spiffe_server();
                has_spiffe && self.proxy.knows_offer && self.case.outbound.offers()
            }
            (Mode::Auto, End::Client) if !self.case.has_spiffe_server() => false,
            (Mode::Auto, End::Client) if self.case.is_listed(self.server) => true,
            (Mode::Auto, End::Client) if matches!(self.head(), Some(Head::Frame(..))) => {
                self.case.has_mutual_tls()
            }
            (Mode::Auto, End::Client)
                if matches!(self.head(), Some(Head::Absent | Head::CutInHeader)) =>
            {
                false
            }
            (Mode::Auto, End::Client) => {
                let proof = memory.0.get_mut(&self.server)?;
                proof.until.filter(|until| *until > now)?;
                *proof = Proof {
                    until: None,
                    used_at: Some(now),
                };
                return Some(Written::ByProof { at: now });
            }
        };
        is_known.then_some(Written::Known)
    }

    fn proof_millis(&self) -> u64 {
        let seconds = self.proxy.proof_seconds.unwrap_or(DEFAULT_PROOF_SECONDS);
        u64::from(seconds) * 1_000
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
        let before = self.head();
        let half = self.halves.of_mut(from);
        half.seen.extend(bytes);
        half.ended |= end;
        let first = !std::mem::replace(&mut half.begun, true);
        if !self.proxy.is_active() {
            return bytes.to_vec();
        }
        let mut payload = bytes.to_vec();
        if let Some(head) = self.head().filter(|_| from != self.beside) {
            let half = self.halves.of(from);
            let passes = head.passes(&half.seen);
            payload = passes.get(half.passed..).unwrap_or_default().to_vec();
            self.closed |= head == Head::TooLarge;
            if before == Some(Head::Undecided) {
                self.learn(head, now, memory);
            }
        }
        self.halves.of_mut(from).passed += payload.len();
        if from == self.beside && first {
            self.written = self.writes(now, memory);
        }
        if from == self.beside && first && self.written.is_some() {
            let name = if from == End::Client {
                "client"
            } else {
                "server"
            };
            payload.splice(..0, proxy_frame(name, self.proxy.exchange_keys));
        }
        payload
    }

    /// Handles the first bytes of a server: its frame is a proof.
    fn learn(&mut self, head: Head, now: u64, memory: &mut Memory) {
        let has_proofs = self.beside == End::Client && self.proxy.mode() == Mode::Auto;
        match head {
            Head::Frame(..)
                if has_proofs
                    && self.case.has_spiffe_server()
                    && self.case.has_mutual_tls()
                    && !self.case.is_listed(self.server) =>
            {
                let until = Some(self.opened_at + self.proof_millis());
                let proof = memory.0.entry(self.server).or_default();
                let is_next = match (self.written, proof.used_at) {
                    (Some(Written::ByProof { at }), used_at) => used_at == Some(at),
                    (_, used_at) => used_at.is_none_or(|used_at| used_at < self.opened_at),
                };
                if is_next {
                    proof.until = until;
                }
            }
            Head::Absent | Head::CutInHeader
                if matches!(self.written, Some(Written::ByProof { .. })) =>
            {
                self.unanswered = true;
                let used_at = Some(now + self.proof_millis());
                let until = None;
                memory.0.insert(self.server, Proof { until, used_at });
            }
            _ => {}
        }
    }

    /// The result of the exchange; `None` until it ends.
    pub(super) fn result(&self) -> Option<&'static str> {
        let peer = self.halves.of(self.beside.other());
        let has_begun = self.halves.any(|half| half.begun);
        match self.head() {
            None if self.proxy.mode() == Mode::Off && self.beside == End::Client => {
                (self.closed || has_begun).then_some("not_attempted")
            }
            None if peer.begun => Some("not_attempted"),
            Some(Head::Undecided) if peer.begun => self.closed.then_some("truncated"),
            Some(head) if peer.begun => head.result(),
            _ if !self.closed => None,
            _ if self.written.is_some() => Some("absent"),
            _ => Some("not_attempted"),
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
