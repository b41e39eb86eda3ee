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
    let mut invariant = Invariant::new(case);
    let mut memory = Memory::default();
    let mut now = 0;
    let mut source = Vec::new();
    for (index, connection) in case.connections.iter().enumerate() {
        let server = servers.prepare(connection, &mut rig, module)?;
        let opened = open(&rig, server, connection);
        let observed = Observed::new(index, connection.to, server.proxy);
        let mut play = Play::new(case, &rig, observed, now);
        play.run(&opened, connection, &mut memory, &mut invariant)?;
        now = play.now;
        let [outbound, inbound] = play.model.reports();
        source.extend(outbound);
        server.reports.extend(inbound);
    }
    rig.advance(LONG_ENOUGH);
    let stats = rig.outbound.stats_text();
    compare("source", &case.outbound, &stats, &source)?;
    if case.outbound.extra != Extra::OnlyAtClose {
        invariant.is_counted(unanswered(&case.outbound, &stats))?;
    }
    servers.all().try_for_each(|server| {
        let stats = server.sidecar.stats_text();
        compare("destination", server.proxy, &stats, &server.reports)
    })
}

fn open(rig: &Rig, server: &Running<'_>, connection: &Connection) -> Opened {
    let (cluster, host) = upstream(connection.to);
    let greeting = Piece::concat(&connection.greeting);
    rig.connect_to(&server.sidecar, cluster, host, greeting)
}

/// A connection that is played on the rig and on the reference.
struct Play<'a> {
    case: &'a Case,
    rig: &'a Rig,
    observed: Observed<'a>,
    model: Model<'a>,
    /// In milliseconds.
    now: u64,
    /// Whether the server has sent first bytes.
    server_first: bool,
    /// The bytes that the client and the server have sent.
    sent: Both<Vec<u8>>,
    /// The bytes that they got.
    received: Both<Vec<u8>>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, rig: &'a Rig, observed: Observed<'a>, now: u64) -> Self {
        Self {
            case,
            rig,
            model: Model::new(case, observed.to, observed.inbound),
            observed,
            now,
            server_first: false,
            sent: Both::default(),
            received: Both::default(),
        }
    }

    fn run(
        &mut self,
        opened: &Opened,
        connection: &Connection,
        memory: &mut Memory,
        invariant: &mut Invariant<'_>,
    ) -> Result<(), Disagreement> {
        let greeting = Piece::concat(&connection.greeting);
        self.offered(opened)?;
        if !greeting.is_empty() {
            self.note(End::Server, &greeting, false, memory);
        }
        self.agree(opened, invariant)?;
        for step in &connection.steps {
            self.step(opened, step, memory, invariant)?;
        }
        let at_close = |proxy: &Proxy| proxy.extra == Extra::OnlyAtClose;
        if connection.polite || at_close(&self.case.outbound) || at_close(self.observed.inbound) {
            self.send(opened, End::Client, &[], true, memory, invariant)?;
            self.send(opened, End::Server, &[], true, memory, invariant)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        opened: &Opened,
        step: &Step,
        memory: &mut Memory,
        invariant: &mut Invariant<'_>,
    ) -> Result<(), Disagreement> {
        match step {
            Step::Wait(millis) => {
                self.now += u64::from(*millis);
                self.rig.advance(Duration::from_millis((*millis).into()));
            }
            Step::Reset(by) if !self.model.is_over() && !self.model.was_reset => {
                app(opened, *by).reset();
                self.model.reset(*by, memory);
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
                    return self.send(opened, *by, &[], *end, memory, invariant);
                };
                for chunk in before {
                    self.send(opened, *by, chunk, false, memory, invariant)?;
                }
                self.send(opened, *by, last, *end, memory, invariant)?;
            }
        }
        self.agree(opened, invariant)
    }

    /// One event of an application, unless it has ended its half or the connection is over.
    fn send(
        &mut self,
        opened: &Opened,
        by: End,
        bytes: &[u8],
        end: bool,
        memory: &mut Memory,
        invariant: &mut Invariant<'_>,
    ) -> Result<(), Disagreement> {
        if self.model.is_over()
            || self.model.was_reset
            || self.model.has_ended(by)
            || (bytes.is_empty() && !end)
        {
            return Ok(());
        }
        let app = app(opened, by);
        if end {
            app.write_and_end(bytes);
        } else {
            app.write(bytes);
        }
        self.note(by, bytes, end, memory);
        self.agree(opened, invariant)
    }

    fn note(&mut self, by: End, bytes: &[u8], end: bool, memory: &mut Memory) {
        self.server_first |= by == End::Server && !self.model.has_begun(End::Client);
        self.sent.of_mut(by).extend(bytes);
        self.model.send(by, bytes, end, self.now, memory);
    }

    /// Checks that the bytes that arrived are the reference's and conserve the sent bytes, and that
    /// the invariant holds.
    fn agree(
        &mut self,
        opened: &Opened,
        invariant: &mut Invariant<'_>,
    ) -> Result<(), Disagreement> {
        let [onward, back] = opened.between_proxies();
        let mut arrived = Vec::new();
        for at in [End::Client, End::Server] {
            let app = app(opened, at);
            if app.unread() > 0 {
                self.received.of_mut(at).extend(app.read());
                arrived.push(at);
            }
        }
        let between = [onward.as_slice(), back.as_slice()];
        let (sent, received) = (&self.sent, &self.received);
        invariant.check(&mut self.observed, self.now, between, sent, received)?;
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
            let found = app(opened, at).saw_end();
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
    fn offered(&self, opened: &Opened) -> Result<(), Disagreement> {
        let proxy = &self.case.outbound;
        let expected: &[&str] = if proxy.offers() {
            &["istio-peer-exchange", "istio"]
        } else {
            &["istio"]
        };
        let found = opened.offered_alpn();
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
