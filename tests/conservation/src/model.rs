//! The reference: the outcome of a connection by the tables of the documentation, as a function of
//! all bytes so far. It has no decoder, no buffer and no series.

mod hop;

use self::hop::Hop;
pub(crate) use self::hop::Memory;
use crate::case::{Case, End, Proxy, Security, Server};

/// An application.
#[derive(Debug, Default)]
pub(crate) struct App {
    /// The bytes that arrived.
    pub(crate) received: Vec<u8>,
    /// Whether the other side's half has ended.
    pub(crate) ended: bool,
}

/// A reporter's counts for one connection.
#[derive(Debug)]
pub(crate) struct Report {
    /// Whether it is counted while it is open.
    pub(crate) shown: bool,
    pub(crate) closed: bool,
    /// From the client to the server.
    pub(crate) received: usize,
    /// From the server to the client.
    pub(crate) sent: usize,
    pub(crate) result: Option<&'static str>,
    pub(crate) duplicate: bool,
    /// Whether a frame by proof got an answer without one.
    pub(crate) unanswered: bool,
}

/// A connection through both proxies.
#[derive(Debug)]
pub(crate) struct Model<'a> {
    outbound: Hop<'a>,
    inbound: Hop<'a>,
    /// Whether there is TLS between the proxies.
    has_tls: bool,
    pub(crate) client: App,
    pub(crate) server: App,
    /// Whether an application has reset the connection. Then the ends that applications see are not
    /// defined.
    pub(crate) was_reset: bool,
}

impl<'a> Model<'a> {
    /// A connection that is opened at `now`, in milliseconds.
    pub(crate) fn new(case: &'a Case, server: Server, inbound: &'a Proxy, now: u64) -> Self {
        Self {
            outbound: Hop::new(case, &case.outbound, server, End::Client, now),
            inbound: Hop::new(case, inbound, server, End::Server, now),
            has_tls: case.security != Security::Plain,
            client: App::default(),
            server: App::default(),
            was_reset: false,
        }
    }

    /// Whether a proxy has closed its connection: no further event has an effect.
    pub(crate) fn is_over(&self) -> bool {
        self.outbound.closed || self.inbound.closed
    }

    pub(crate) fn has_ended(&self, end: End) -> bool {
        self.hop_beside(end).halves.of(end).ended
    }

    pub(crate) fn has_begun(&self, end: End) -> bool {
        self.hop_beside(end).halves.of(end).begun
    }

    fn hop_beside(&self, end: End) -> &Hop<'a> {
        match end {
            End::Client => &self.outbound,
            End::Server => &self.inbound,
        }
    }

    /// An application writes, ends its half, or both.
    pub(crate) fn send(&mut self, by: End, bytes: &[u8], end: bool, now: u64, memory: &mut Memory) {
        let Self {
            outbound,
            inbound,
            client,
            server,
            ..
        } = self;
        let (near, far, sender, receiver) = match by {
            End::Client => (outbound, inbound, client, server),
            End::Server => (inbound, outbound, server, client),
        };
        let mut bytes = near.on_data(by, bytes, end, now, memory);
        if !bytes.is_empty() || end {
            bytes = far.on_data(by, &bytes, end, now, memory);
            receiver.received.extend(bytes);
            receiver.ended |= end;
        }
        if far.closed {
            // The proxy that closes ends the other half on both sides.
            receiver.ended = true;
            let back = by.other();
            if !near.halves.of(back).ended {
                sender
                    .received
                    .extend(near.on_data(back, &[], true, now, memory));
                sender.ended = true;
            }
        }
        for hop in [near, far] {
            hop.closed |= !hop.halves.any(|half| !half.ended);
        }
    }

    /// An application resets the connection. A proxy that has read its end does not see the reset,
    /// an old one ends the connection to the next proxy, and reads a reset within TLS as an end.
    pub(crate) fn reset(&mut self, by: End, now: u64, memory: &mut Memory) {
        self.was_reset = true;
        if self.has_ended(by) {
            return;
        }
        let (near, far, receiver) = match by {
            End::Client => (&mut self.outbound, &mut self.inbound, &mut self.server),
            End::Server => (&mut self.inbound, &mut self.outbound, &mut self.client),
        };
        near.closed = true;
        if near.proxy.legacy || far.proxy.legacy && self.has_tls {
            receiver
                .received
                .extend(far.on_data(by, &[], true, now, memory));
            far.closed |= !far.halves.any(|half| !half.ended);
        } else {
            far.closed = true;
        }
    }

    /// The reports of source and destination; `None` for a proxy whose filter ignores the
    /// connection.
    pub(crate) fn reports(&self) -> [Option<Report>; 2] {
        [&self.outbound, &self.inbound].map(|hop| {
            hop.proxy.is_active().then(|| Report {
                shown: hop.is_shown(),
                closed: hop.closed,
                received: hop.halves.of(End::Client).passed,
                sent: hop.halves.of(End::Server).passed,
                result: hop.result(),
                duplicate: hop.has_duplicate(),
                unanswered: hop.unanswered,
            })
        })
    }
}
