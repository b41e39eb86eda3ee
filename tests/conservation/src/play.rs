//! Plays a case on the two-proxy rig and compares it with the reference.

use std::time::Duration;

use host_harness::{App, Connection as Opened, Module, Rig};

use crate::case::{Both, Case, Connection, End, Extra, Piece, Proxy, Step};
use crate::disagreement::{Bytes, Disagreement};
use crate::invariant::{Invariant, Observed};
use crate::model::{Memory, Model};
use crate::report::{compare, unanswered};
use crate::servers::{Running, Servers};
use crate::setup::{start, upstream};
use crate::wire::{MAGIC, proxy_frame};

/// After this time, everything is reported.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Plays a case. The thread must be one of [`host_harness::native::run`], if the module is native.
///
/// # Errors
/// The first disagreement.
pub fn play(case: &Case, module: &Module) -> Result<(), Disagreement> {
    let mut rig = start(case, module)?;
    let mut servers = Servers::new(case, &rig);
    let mut state = State {
        now: 0,
        memory: Memory::default(),
        invariant: Invariant::new(case),
    };
    let mut source = Vec::new();
    let mut index = 0;
    for group in case.connections.chunk_by(|_, next| next.overlaps) {
        let mut plays = Vec::new();
        for connection in group {
            let server = servers.prepare(connection, &mut rig, module)?;
            let opened = open(&rig, &server, connection);
            let observed = Observed::new(index, connection.to, server.proxy, state.now);
            index += 1;
            let mut play = Play::new(case, opened, observed);
            play.begin(connection, &mut state)?;
            plays.push((connection, server, play));
        }
        let most = group.iter().map(|connection| connection.steps.len()).max();
        for turn in 0..most.unwrap_or_default() {
            for (connection, _, play) in &mut plays {
                if let Some(step) = connection.steps.get(turn) {
                    play.step(&rig, step, &mut state)?;
                }
            }
        }
        for (connection, server, mut play) in plays {
            play.end(connection, &mut state)?;
            let [outbound, inbound] = play.model.reports();
            source.extend(outbound);
            server.reports.borrow_mut().extend(inbound);
        }
    }
    rig.advance(LONG_ENOUGH);
    let stats = rig.outbound.stats_text();
    compare("source", &case.outbound, &stats, &source)?;
    if case.outbound.extra != Extra::OnlyAtClose {
        state
            .invariant
            .is_counted(unanswered(&case.outbound, &stats))?;
    }
    servers.all().try_for_each(|server| {
        let stats = server.sidecar.stats_text();
        compare(
            "destination",
            server.proxy,
            &stats,
            &server.reports.borrow(),
        )
    })
}

fn open(rig: &Rig, server: &Running<'_>, connection: &Connection) -> Opened {
    let (cluster, host) = upstream(connection.to);
    let greeting = Piece::concat(&connection.greeting);
    rig.connect_to(&server.sidecar, cluster, host, greeting)
}

/// What all connections of a case share.
struct State<'a> {
    /// In milliseconds.
    now: u64,
    memory: Memory,
    invariant: Invariant<'a>,
}

/// A connection that is played on the rig and on the reference.
struct Play<'a> {
    case: &'a Case,
    opened: Opened,
    observed: Observed<'a>,
    model: Model<'a>,
    /// Whether the server has sent first bytes.
    server_first: bool,
    /// The bytes that the client and the server have sent.
    sent: Both<Vec<u8>>,
    /// The bytes that they got.
    received: Both<Vec<u8>>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, opened: Opened, observed: Observed<'a>) -> Self {
        Self {
            case,
            model: Model::new(case, observed.to, observed.inbound, observed.opened_at),
            opened,
            observed,
            server_first: false,
            sent: Both::default(),
            received: Both::default(),
        }
    }

    /// The events of the connection's beginning.
    fn begin(
        &mut self,
        connection: &Connection,
        state: &mut State<'a>,
    ) -> Result<(), Disagreement> {
        let greeting = Piece::concat(&connection.greeting);
        self.offered()?;
        if !greeting.is_empty() {
            self.note(End::Server, &greeting, false, state);
        }
        self.agree(state)
    }

    /// The events of its end.
    fn end(&mut self, connection: &Connection, state: &mut State<'a>) -> Result<(), Disagreement> {
        let at_close = |proxy: &Proxy| proxy.extra == Extra::OnlyAtClose;
        if connection.polite || at_close(&self.case.outbound) || at_close(self.observed.inbound) {
            self.send(End::Client, &[], true, state)?;
            self.send(End::Server, &[], true, state)?;
        }
        Ok(())
    }

    fn step(&mut self, rig: &Rig, step: &Step, state: &mut State<'a>) -> Result<(), Disagreement> {
        match step {
            Step::Wait(millis) => {
                state.now += u64::from(*millis);
                rig.advance(Duration::from_millis((*millis).into()));
            }
            Step::Reset(by) if !self.model.is_over() && !self.model.was_reset => {
                app(&self.opened, *by).reset();
                self.model.reset(*by, state.now, &mut state.memory);
            }
            Step::Reset(_) => {}
            Step::Write {
                by,
                pieces,
                chunk,
                end,
            } => {
                let bytes = Piece::concat(pieces);
                let size = if *chunk == 0 { bytes.len() } else { *chunk };
                let chunks: Vec<_> = bytes.chunks(size.max(1)).collect();
                let Some((last, before)) = chunks.split_last() else {
                    return self.send(*by, &[], *end, state);
                };
                for chunk in before {
                    self.send(*by, chunk, false, state)?;
                }
                self.send(*by, last, *end, state)?;
            }
        }
        self.agree(state)
    }

    /// One event of an application, unless it has ended its half or the connection is over.
    fn send(
        &mut self,
        by: End,
        bytes: &[u8],
        end: bool,
        state: &mut State<'a>,
    ) -> Result<(), Disagreement> {
        if self.model.is_over()
            || self.model.was_reset
            || self.model.has_ended(by)
            || (bytes.is_empty() && !end)
        {
            return Ok(());
        }
        let app = app(&self.opened, by);
        if end {
            app.write_and_end(bytes);
        } else {
            app.write(bytes);
        }
        self.note(by, bytes, end, state);
        self.agree(state)
    }

    fn note(&mut self, by: End, bytes: &[u8], end: bool, state: &mut State<'a>) {
        self.server_first |= by == End::Server && !self.model.has_begun(End::Client);
        self.sent.of_mut(by).extend(bytes);
        self.model
            .send(by, bytes, end, state.now, &mut state.memory);
    }

    /// Checks that the bytes that arrived are the reference's and conserve the sent bytes, and that
    /// the invariant holds.
    fn agree(&mut self, state: &mut State<'a>) -> Result<(), Disagreement> {
        let [onward, back] = self.opened.between_proxies();
        let mut arrived = Vec::new();
        for at in [End::Client, End::Server] {
            let app = app(&self.opened, at);
            if app.unread() > 0 {
                self.received.of_mut(at).extend(app.read());
                arrived.push(at);
            }
        }
        let between = [onward.as_slice(), back.as_slice()];
        let (sent, received) = (&self.sent, &self.received);
        state
            .invariant
            .check(&mut self.observed, state.now, between, sent, received)?;
        for at in [End::Client, End::Server] {
            let connection = self.observed.index;
            let expected = match at {
                End::Client => &self.model.client,
                End::Server => &self.model.server,
            };
            let found = self.received.of(at);
            if *found != expected.received {
                let [expected, found] = [expected.received.clone(), found.clone()].map(Bytes);
                return Err(Disagreement::Arrived {
                    connection,
                    at,
                    expected,
                    found,
                });
            }
            if arrived.contains(&at) {
                self.conserves(at, found)?;
            }
            let found = app(&self.opened, at).saw_end();
            if !self.model.was_reset && found != expected.ended {
                return Err(Disagreement::Ended {
                    connection,
                    at,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Checks, without the reference, that the bytes that arrived are the sent ones. If not both
    /// sides exchange, a frame of the sender's proxy may precede them as far as the invariant
    /// permits it, and the receiver's proxy may remove bytes that begin like a frame.
    fn conserves(&self, at: End, found: &[u8]) -> Result<(), Disagreement> {
        let sent = self.sent.of(at.other());
        let inbound = self.observed.inbound;
        let (name, proxy) = match at {
            End::Client => ("server", inbound),
            End::Server => ("client", &self.case.outbound),
        };
        let frame = proxy_frame(name, proxy.exchange_keys);
        let like_a_frame = sent.iter().zip(MAGIC).all(|(sent, magic)| *sent == magic);
        let to = self.observed.to;
        let conserved = found == sent
            || !self.case.is_exchanging(to, inbound, self.server_first)
                && (found.strip_prefix(frame.as_slice()) == Some(sent)
                    || like_a_frame && sent.ends_with(found));
        if conserved {
            return Ok(());
        }
        let [sent, found] = [sent.clone(), found.to_vec()].map(Bytes);
        Err(Disagreement::NotConserved {
            connection: self.observed.index,
            at,
            sent,
            found,
        })
    }

    /// Checks that the exchange's ALPN is offered if it is configured, and the cluster's own
    /// otherwise.
    fn offered(&self) -> Result<(), Disagreement> {
        let proxy = &self.case.outbound;
        let expected: &[&str] = if proxy.offers() {
            &["istio-peer-exchange", "istio"]
        } else {
            &["istio"]
        };
        let found = self.opened.offered_alpn();
        if found == expected {
            return Ok(());
        }
        Err(Disagreement::Offered {
            connection: self.observed.index,
            found,
        })
    }
}

fn app(opened: &Opened, end: End) -> &App {
    match end {
        End::Client => &opened.client,
        End::Server => &opened.server,
    }
}
