//! One connection: its bytes, its exchange and the series it is counted in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::Duration;

use crate::exchange::{Exchange, Flow};
use crate::host::attributes::path;
use crate::host::{Buffer, ContextId, Host, Status};
use crate::labels::{Metric, Reporter, ResponseFlags};
use crate::peer::{ConnectionAttributes, PeerMetadata, ReadAttributes};
use crate::series::Series;
use crate::shared::Shared;

/// A connection from its open to its close.
///
/// Bytes are bytes of payload: behind the peer's frame, in front of this workload's. Received is
/// the direction from the client to the server, sent the other one, on both reporters.
///
/// The labels are computed once and frozen: opened, closed, sent and received of a connection
/// always belong to the same series, so opened − closed is the number of open connections.
#[derive(Debug)]
pub struct Connection<H> {
    shared: Rc<Shared<H>>,
    id: ContextId,
    reporter: Reporter,
    is_closed: bool,
    /// A callback with the client's bytes, or their end, shows that its TLS handshake is over.
    client_spoke: bool,
    /// [`Shared::ticks`] when the connection opened.
    opened_at_tick: u32,
    /// The time of the open, if a metric or the exchange depends on it.
    opened_at: Option<Duration>,
    /// Bytes before the labels were frozen.
    received: i64,
    sent: i64,
    /// The series, once the labels are frozen.
    series: Option<Rc<Series>>,
    /// `None` once the exchange is over.
    opening: Option<Box<Opening<H>>>,
}

/// The state of a connection until its exchange is over.
#[derive(Debug)]
struct Opening<H> {
    exchange: Exchange,
    metadata: Option<Rc<PeerMetadata>>,
    undecided: Rc<Undecided<H>>,
}

/// The connections whose labels are not frozen.
pub(crate) type Undecided<H> = RefCell<BTreeMap<ContextId, Weak<RefCell<Connection<H>>>>>;

impl<H: Host> Connection<H> {
    /// Opens a connection and adds it to `undecided`. `unknown_direction`: the status with which
    /// reading the listener's direction failed.
    pub(crate) fn open(
        shared: Rc<Shared<H>>,
        undecided: &Rc<Undecided<H>>,
        id: ContextId,
        reporter: Reporter,
        unknown_direction: Option<Status>,
    ) -> Rc<RefCell<Self>> {
        let needs_time = shared.extended.is_some() || shared.learns(reporter);
        let opened_at = needs_time.then(|| shared.host.now().ok()).flatten();
        let connection = Rc::new(RefCell::new(Self {
            id,
            reporter,
            is_closed: false,
            client_spoke: false,
            opened_at_tick: shared.ticks(),
            opened_at,
            received: 0,
            sent: 0,
            series: None,
            opening: Some(Box::new(Opening {
                exchange: Exchange::new(&shared.exchange, reporter, opened_at, unknown_direction),
                metadata: None,
                undecided: Rc::clone(undecided),
            })),
            shared,
        }));
        undecided
            .borrow_mut()
            .insert(id, Rc::downgrade(&connection));
        connection
    }

    /// Handles a data callback: `size` bytes in `buffer`, or the end of that direction, or both.
    pub fn on_data(&mut self, buffer: Buffer, size: usize, end_of_stream: bool) -> Flow {
        if self.opening.is_some() {
            return self.on_opening_data(buffer, size, end_of_stream);
        }
        self.count(buffer, size);
        Flow::Continue
    }

    /// Handles a data callback before the exchange is over.
    fn on_opening_data(&mut self, buffer: Buffer, size: usize, end_of_stream: bool) -> Flow {
        let Some(opening) = &mut self.opening else {
            return Flow::Continue;
        };
        self.client_spoke |= buffer == Buffer::Downstream;
        let context = self.shared.exchange_context();
        let exchange = &mut opening.exchange;
        let progress = exchange.on_data(&context, buffer, size, end_of_stream);
        let (is_decided, is_over) = (exchange.is_decided(), exchange.is_over());
        if let Some(frame) = progress.frame {
            opening.metadata = self.shared.decode(self.reporter, frame);
        }
        if is_decided && self.series.is_none() {
            self.freeze_if_known(buffer);
        }
        if is_over && self.series.is_some() {
            self.opening = None;
        }
        self.count(buffer, progress.payload);
        progress.flow
    }

    /// Handles the end of the upstream's stream, after the data callback with its last bytes.
    pub fn on_upstream_close(&mut self) {
        if let Some(opening) = &mut self.opening {
            opening.exchange.on_upstream_close(&self.shared.host);
        }
    }

    fn count(&mut self, buffer: Buffer, payload: usize) {
        let payload = i64::try_from(payload).unwrap_or(i64::MAX);
        let (metric, early) = match buffer {
            Buffer::Downstream => (Metric::Received, &mut self.received),
            Buffer::Upstream => (Metric::Sent, &mut self.sent),
        };
        match &self.series {
            Some(_) if payload == 0 => {}
            Some(series) => series.add(metric, payload),
            None => *early = early.saturating_add(payload),
        }
    }

    /// Freezes the labels in the callback of `buffer`, once the peer's frame was read or none will
    /// be, unless they would be incomplete for a reason that will be over.
    fn freeze_if_known(&mut self, buffer: Buffer) {
        let Some(opening) = &mut self.opening else {
            return;
        };
        let context = self.shared.exchange_context();
        // A lazily connected upstream has no cluster before the client's first bytes have passed.
        let has_cluster =
            buffer == Buffer::Upstream || opening.exchange.facts().cluster(&context).is_some();
        // For a reporting interval.
        let waits = self.shared.is_ticking && opening.exchange.may_be_known_later(&context);
        if waits {
            self.shared.need_metadata();
        } else if has_cluster {
            self.freeze();
        }
    }

    /// Computes the labels and counts the connection and its bytes so far.
    fn freeze(&mut self) {
        let is_handshaking = self.is_handshaking();
        let shared = &self.shared;
        let Some(opening) = &mut self.opening else {
            return;
        };
        let before = std::mem::take(&mut opening.exchange.facts().attributes);
        let (pair, read) = ReadAttributes::read(
            &shared.attributes(),
            shared.exchange.mode(),
            self.reporter,
            before,
            opening
                .metadata
                .as_ref()
                .is_some_and(|peer| peer.is_complete),
        );
        let metadata = shared.share_metadata(&pair, opening.metadata.clone());
        let pair = shared.known_pair(pair);
        let number = metadata.as_ref().map(|peer| peer.number);
        let attributes = ConnectionAttributes::new(pair, number, is_handshaking, read);
        let peer = shared.resolve(attributes, metadata.as_deref());
        shared.publish(&peer);
        let values = shared.expressions.evaluate(&shared.host);
        let series = shared.series(&peer, &values);
        series.add(Metric::Opened, 1);
        series.add(Metric::Open, 1);
        series.add(Metric::Received, self.received);
        series.add(Metric::Sent, self.sent);
        for (index, value) in shared.selection.defined(&values) {
            series.add_defined(&shared.host, &shared.selection, index, value);
        }
        if let (Some(extended), Some(opened), Some(_)) =
            (&shared.extended, self.opened_at, &opening.metadata)
        {
            extended.exchanged(&shared.host, &shared.selection, &series, opened);
        }
        opening.undecided.borrow_mut().remove(&self.id);
        self.series = Some(series);
    }

    /// Freezes the labels of a connection that has been undecided for a whole reporting interval.
    ///
    /// It does not while the connection is not established: the labels would stay wrong.
    pub(crate) fn freeze_if_overdue(&mut self) {
        // The first tick after the open comes before an interval is over, the second does not.
        let is_overdue = self.shared.ticks().wrapping_sub(self.opened_at_tick) >= 2;
        if !is_overdue || self.series.is_some() || self.is_closed {
            return;
        }
        let host = &self.shared.host;
        if host.set_effective_context(self.id).is_ok() && self.is_established() {
            self.freeze();
        }
    }

    /// Whether the cluster and all certificates that the labels depend on are known, if there are
    /// any.
    ///
    /// The bytes of a server that speaks first come before the client's TLS handshake is over, when
    /// its certificate is missing. An upstream that is not connected has none either, and, if it is
    /// connected lazily, no cluster.
    fn is_established(&self) -> bool {
        let attributes = self.shared.attributes();
        let is_connected = || attributes.text(path::UPSTREAM_ADDRESS).is_some();
        match self.reporter {
            Reporter::Source => is_connected(),
            Reporter::Destination | Reporter::Waypoint => {
                !self.is_handshaking()
                    && (attributes.text(path::CLUSTER).is_some() || is_connected())
            }
        }
    }

    /// Whether the client's TLS handshake may not be over: the connection has TLS, the client sent
    /// nothing, and the host has no certificate of it. Envoy has a TLS version before the handshake
    /// is over.
    fn is_handshaking(&self) -> bool {
        let attributes = self.shared.attributes();
        !self.client_spoke
            && self.reporter != Reporter::Source
            && attributes.text(path::TLS_VERSION).is_some()
            && attributes.is_mtls() != Ok(true)
    }

    /// Handles the close and reports the connection. Only the first call has an effect.
    pub fn on_close(&mut self) {
        if std::mem::replace(&mut self.is_closed, true) {
            return;
        }
        if let Some(opening) = &self.opening {
            opening.exchange.on_close(&self.shared.diagnostics);
        }
        if self.series.is_none() {
            self.freeze();
        }
        self.opening = None;
        let Some(series) = &self.series else { return };
        series.add(Metric::Closed, 1);
        series.add(Metric::Open, -1);
        let shared = &self.shared;
        shared.report_close(series);
        if let Some(extended) = &shared.extended {
            let flags = ResponseFlags(shared.attributes().response_flags());
            extended.closed(
                &shared.host,
                &shared.selection,
                series,
                self.opened_at,
                flags,
            );
        }
    }
}
