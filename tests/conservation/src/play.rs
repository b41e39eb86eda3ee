//! Plays a case on the two-proxy rig and compares it with the reference.

use std::time::Duration;

use host_harness::{App, Connection as Opened, Module, Rig};

use crate::case::{Both, Case, Connection, End, Extra, Mode, Piece, Step};
use crate::disagreement::{Bytes, Disagreement};
use crate::model::{Memory, Model};
use crate::report::compare;
use crate::setup::start;
use crate::wire::{MAGIC, proxy_frame};

/// After this time, everything is reported.
const LONG_ENOUGH: Duration = Duration::from_secs(5);

/// Plays a case. The thread must be one of [`host_harness::native::run`], if the module is native.
///
/// # Errors
/// The first disagreement.
pub fn play(case: &Case, module: &Module) -> Result<(), Disagreement> {
    let rig = start(case, module)?;
    let mut memory = Memory::default();
    let (mut now, mut server_first) = (0, false);
    let (mut source, mut destination) = (Vec::new(), Vec::new());
    for (index, connection) in case.connections.iter().enumerate() {
        let mut play = Play::new(case, &rig, index, now, server_first);
        play.run(connection, &mut memory)?;
        (now, server_first) = (play.now, play.server_first);
        let [outbound, inbound] = play.model.reports();
        source.extend(outbound);
        destination.extend(inbound);
    }
    rig.advance(LONG_ENOUGH);
    compare(
        "source",
        &case.outbound,
        &rig.outbound.stats_text(),
        &source,
    )?;
    compare(
        "destination",
        &case.inbound,
        &rig.inbound.stats_text(),
        &destination,
    )
}

/// A connection that is played on the rig and on the reference.
struct Play<'a> {
    case: &'a Case,
    rig: &'a Rig,
    index: usize,
    model: Model<'a>,
    /// In milliseconds.
    now: u64,
    /// Whether a server has sent first bytes on this or an earlier connection: then `auto` does not
    /// write a frame.
    server_first: bool,
    /// The bytes that the client and the server have sent.
    sent: Both<Vec<u8>>,
}

impl<'a> Play<'a> {
    fn new(case: &'a Case, rig: &'a Rig, index: usize, now: u64, server_first: bool) -> Self {
        Self {
            case,
            rig,
            index,
            model: Model::new(case),
            now,
            server_first,
            sent: Both::default(),
        }
    }

    fn run(&mut self, connection: &Connection, memory: &mut Memory) -> Result<(), Disagreement> {
        let greeting = Piece::concat(&connection.greeting);
        let opened = self.rig.connect_greeted(&greeting);
        self.offered(&opened)?;
        if !greeting.is_empty() {
            self.note(End::Server, &greeting, false, memory);
        }
        self.agree(&opened)?;
        for step in &connection.steps {
            self.step(&opened, step, memory)?;
        }
        let at_close = |proxy: &crate::case::Proxy| proxy.extra == Extra::OnlyAtClose;
        if connection.polite || at_close(&self.case.outbound) || at_close(&self.case.inbound) {
            self.send(&opened, End::Client, &[], true, memory)?;
            self.send(&opened, End::Server, &[], true, memory)?;
        }
        Ok(())
    }

    fn step(
        &mut self,
        opened: &Opened,
        step: &Step,
        memory: &mut Memory,
    ) -> Result<(), Disagreement> {
        match step {
            Step::Wait(millis) => {
                self.now += u64::from(*millis);
                self.rig.advance(Duration::from_millis((*millis).into()));
            }
            Step::Reset(by) if !self.model.is_over() && !self.model.was_reset => {
                app(opened, *by).reset();
                self.model.reset(*by);
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
                    return self.send(opened, *by, &[], *end, memory);
                };
                for chunk in before {
                    self.send(opened, *by, chunk, false, memory)?;
                }
                self.send(opened, *by, last, *end, memory)?;
            }
        }
        self.agree(opened)
    }

    /// One event of an application, unless it has ended its half or the connection is over.
    fn send(
        &mut self,
        opened: &Opened,
        by: End,
        bytes: &[u8],
        end: bool,
        memory: &mut Memory,
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
        self.agree(opened)
    }

    fn note(&mut self, by: End, bytes: &[u8], end: bool, memory: &mut Memory) {
        self.server_first |= by == End::Server && !self.model.has_begun(End::Client);
        self.sent.of_mut(by).extend(bytes);
        self.model.send(by, bytes, end, self.now, memory);
    }

    /// Checks that the bytes that arrived are the reference's and conserve the sent bytes.
    fn agree(&mut self, opened: &Opened) -> Result<(), Disagreement> {
        for at in [End::Client, End::Server] {
            let (app, index) = (app(opened, at), self.index);
            let expected = match at {
                End::Client => &self.model.client,
                End::Server => &self.model.server,
            };
            if app.unread() > 0 || app.received().len() != expected.received.len() {
                app.read();
                let found = app.received();
                if found != expected.received {
                    let [expected, found] = [expected.received.clone(), found].map(Bytes);
                    return Err(Disagreement::Arrived {
                        connection: index,
                        at,
                        expected,
                        found,
                    });
                }
                self.conserves(at, &found)?;
            }
            if !self.model.was_reset && app.saw_end() != expected.ended {
                let found = app.saw_end();
                return Err(Disagreement::Ended {
                    connection: index,
                    at,
                    found,
                });
            }
        }
        Ok(())
    }

    /// Checks, without the reference, that the bytes that arrived are the sent ones. If not both
    /// sides exchange, a frame of the sender's proxy may precede them, and the receiver's proxy may
    /// remove bytes that begin like a frame.
    fn conserves(&self, at: End, found: &[u8]) -> Result<(), Disagreement> {
        let sent = self.sent.of(at.other());
        let (name, proxy) = match at {
            End::Client => ("server", &self.case.inbound),
            End::Server => ("client", &self.case.outbound),
        };
        let frame = proxy_frame(name, proxy.exchange_keys);
        let like_a_frame = sent.iter().zip(MAGIC).all(|(sent, magic)| *sent == magic);
        let conserved = found == sent
            || !self.case.is_exchanging(self.server_first)
                && (found.strip_prefix(frame.as_slice()) == Some(sent)
                    || like_a_frame && sent.ends_with(found));
        if conserved {
            return Ok(());
        }
        let [sent, found] = [sent.clone(), found.to_vec()].map(Bytes);
        Err(Disagreement::NotConserved {
            connection: self.index,
            at,
            sent,
            found,
        })
    }

    /// Checks that the exchange's ALPN is offered if it is configured, and the cluster's own
    /// otherwise.
    fn offered(&self, opened: &Opened) -> Result<(), Disagreement> {
        let proxy = &self.case.outbound;
        let ours = proxy.is_active()
            && proxy.advertise_alpn
            && matches!(proxy.mode(), Mode::Auto | Mode::On);
        let expected: &[&str] = if ours {
            &["istio-peer-exchange", "istio"]
        } else {
            &["istio"]
        };
        let found = opened.offered_alpn();
        if found == expected {
            return Ok(());
        }
        Err(Disagreement::Offered {
            connection: self.index,
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
