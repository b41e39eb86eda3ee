//! What must hold whatever the reference says, by the bytes at the applications and between the
//! proxies alone.

use std::collections::BTreeMap;

use crate::case::{Both, Case, End, Mode, Proxy, Server};
use crate::disagreement::Disagreement;
use crate::wire::{MAGIC, proxy_frame};

const DEFAULT_PROOF_SECONDS: u16 = 60;

/// What the first bytes of a direction are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum First {
    /// Nothing, or the beginning of a frame.
    #[default]
    Pending,
    Frame,
    Payload,
}

impl First {
    pub(crate) fn of(stream: &[u8]) -> Self {
        if !stream.iter().zip(MAGIC).all(|(byte, magic)| *byte == magic) {
            return Self::Payload;
        }
        let rest = stream.get(MAGIC.len()..).unwrap_or_default();
        match rest.split_first_chunk() {
            Some((length, payload)) if payload.len() >= u32::from_be_bytes(*length) as usize => {
                Self::Frame
            }
            _ => Self::Pending,
        }
    }
}

/// Why the client's proxy has written its frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reason {
    /// Its mode is `on`, or the cluster is listed.
    Forced,
    /// The server's frame came before on this connection.
    Answer,
    /// The server's frame came on an earlier connection.
    Proof,
}

/// What the client's proxy may know of the servers.
#[derive(Debug)]
pub(crate) struct Invariant<'a> {
    case: &'a Case,
    /// Until when, in milliseconds, the last frame of a server is a proof, unless a frame went to it
    /// by that proof since.
    proofs: BTreeMap<Server, u64>,
    /// The last frame by proof to a server: when, in milliseconds, and on which connection.
    last: BTreeMap<Server, (u64, usize)>,
    /// The connections whose frame by proof an application got, by server and its proxy.
    leaks: Vec<(Server, &'a Proxy, usize)>,
    /// Whether a server's application sent a frame, which no proxy can tell from one of a proxy.
    is_forged: bool,
    unanswered: u64,
}

/// A connection as the applications and a tap between the proxies see it.
#[derive(Debug)]
pub(crate) struct Observed<'a> {
    pub(crate) index: usize,
    pub(crate) to: Server,
    pub(crate) inbound: &'a Proxy,
    /// In milliseconds.
    pub(crate) opened_at: u64,
    has_begun: bool,
    reason: Option<Reason>,
    /// The first bytes of the server's proxy.
    answer: First,
}

impl<'a> Observed<'a> {
    pub(crate) fn new(index: usize, to: Server, inbound: &'a Proxy, opened_at: u64) -> Self {
        Self {
            index,
            to,
            inbound,
            opened_at,
            has_begun: false,
            reason: None,
            answer: First::Pending,
        }
    }
}

impl<'a> Invariant<'a> {
    pub(crate) fn new(case: &'a Case) -> Self {
        Self {
            case,
            proofs: BTreeMap::new(),
            last: BTreeMap::new(),
            leaks: Vec::new(),
            is_forged: false,
            unanswered: 0,
        }
    }

    /// Checks a connection after an event at the time `now`. `between` are the bytes from the
    /// client's proxy to the server's, and back; `sent` those that the applications sent and
    /// `received` those that they got.
    ///
    /// **No byte of a frame of a proxy reaches an application**, except
    ///
    /// 1. if the side of that proxy is forced: its mode is `on`, or its configuration lists the
    ///    cluster;
    /// 2. if the server's filter is not reading any more within the life of a proof. **One frame
    ///    arrives per loss**, whatever the number of connections. At the server's first bytes after
    ///    that frame, the client's proxy counts it in `istio_tcp_unanswered_frames_total`;
    /// 3. if the application itself sends a frame: no proxy can tell it from one of a proxy.
    ///
    /// For this, the client's proxy in mode `auto` **writes its frame only** to a server with a
    /// SPIFFE id, and only if the cluster is listed, or, if it has a certificate, the server's frame
    /// came before on this connection, or it came from this address of this cluster on a connection
    /// that was opened within `proof_duration`, and this connection's first bytes from the server are
    /// not something else. Two frames by proof have a frame of the server between them, on a
    /// connection that was opened after the first, or as the answer to it.
    pub(crate) fn check(
        &mut self,
        observed: &mut Observed<'a>,
        now: u64,
        between: [&[u8]; 2],
        sent: &Both<Vec<u8>>,
        received: &Both<Vec<u8>>,
    ) -> Result<(), Disagreement> {
        let [onward, back] = between;
        let client_frame = proxy_frame("client", self.case.outbound.exchange_keys);
        let server_frame = proxy_frame("server", observed.inbound.exchange_keys);
        let is_first = !onward.is_empty() && !std::mem::replace(&mut observed.has_begun, true);
        if is_first && onward.starts_with(&client_frame) {
            let reason = self.reason(observed, now);
            let connection = observed.index;
            observed.reason = Some(reason.ok_or(Disagreement::Unfounded { connection })?);
        }
        let answer = First::of(back);
        if observed.answer == First::Pending && answer != First::Pending {
            observed.answer = answer;
            self.learn(observed);
        }
        let sends_frames = |end: End| First::of(sent.of(end)) == First::Frame;
        self.is_forged |= sends_frames(End::Server);
        let is_unread = !self.is_read_by(observed.inbound);
        let may_reach_server = match observed.reason {
            Some(Reason::Forced) => true,
            Some(Reason::Proof) => is_unread,
            Some(Reason::Answer) => is_unread && sends_frames(End::Server),
            None => false,
        };
        let may_reach_client = observed.inbound.mode() == Mode::On || sends_frames(End::Client);
        for (at, frame, may) in [
            (End::Server, &client_frame, may_reach_server),
            (End::Client, &server_frame, may_reach_client),
        ] {
            if received.of(at).starts_with(frame) && !may {
                let connection = observed.index;
                return Err(Disagreement::Leaked { connection, at });
            }
        }
        if received.of(End::Server).starts_with(&client_frame)
            && observed.reason == Some(Reason::Proof)
        {
            self.leaks_once(observed)?;
        }
        Ok(())
    }

    fn leaks_once(&mut self, observed: &Observed<'a>) -> Result<(), Disagreement> {
        let connection = observed.index;
        let mut leaks = self.leaks.iter();
        let found = leaks
            .find(|(to, proxy, _)| *to == observed.to && std::ptr::eq(*proxy, observed.inbound));
        match found {
            None => self.leaks.push((observed.to, observed.inbound, connection)),
            Some((_, _, first)) if *first == connection || self.is_forged => {}
            Some(_) => return Err(Disagreement::LeakedTwice { connection }),
        }
        Ok(())
    }

    /// Checks that every frame of rule 2 is counted.
    pub(crate) fn is_counted(&self, found: u64) -> Result<(), Disagreement> {
        let expected = self.unanswered;
        if found >= expected {
            return Ok(());
        }
        Err(Disagreement::Uncounted { expected, found })
    }

    /// The reason for the frame of the client's proxy, if there is one.
    fn reason(&mut self, observed: &Observed<'_>, now: u64) -> Option<Reason> {
        let proxy = &self.case.outbound;
        if proxy.mode() == Mode::On {
            return Some(Reason::Forced);
        }
        if proxy.mode() != Mode::Auto || !self.case.has_spiffe_server() {
            return None;
        }
        if self.case.is_listed(observed.to) {
            return Some(Reason::Forced);
        }
        match observed.answer {
            First::Frame => self.case.has_mutual_tls().then_some(Reason::Answer),
            First::Pending => {
                let until = self.proofs.get(&observed.to).copied()?;
                (now < until).then(|| {
                    self.proofs.remove(&observed.to);
                    self.last.insert(observed.to, (now, observed.index));
                    Reason::Proof
                })
            }
            First::Payload => None,
        }
    }

    /// How long a proof is valid, in milliseconds.
    fn life(&self) -> u64 {
        let seconds = self.case.outbound.proof_seconds;
        u64::from(seconds.unwrap_or(DEFAULT_PROOF_SECONDS)) * 1_000
    }

    /// The first bytes of a server's proxy came to the client's.
    fn learn(&mut self, observed: &Observed<'_>) {
        match observed.answer {
            First::Frame => {
                let last = self.last.get(&observed.to);
                if last.is_none_or(|(at, by)| *by == observed.index || *at < observed.opened_at) {
                    let until = observed.opened_at + self.life();
                    self.proofs.insert(observed.to, until);
                }
            }
            First::Payload if observed.reason == Some(Reason::Proof) => self.unanswered += 1,
            First::Payload | First::Pending => {}
        }
    }

    /// Whether a server's proxy takes frames off.
    fn is_read_by(&self, inbound: &Proxy) -> bool {
        inbound.is_active()
            && match inbound.mode() {
                Mode::On => true,
                Mode::Auto | Mode::Receive => self.case.has_mutual_tls(),
                Mode::Off => false,
            }
    }
}
