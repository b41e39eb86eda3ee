//! One connection: its bytes, its part in the exchange, the series it is counted under.

use std::rc::Rc;
use std::time::Duration;

use crate::config::Moment;
use crate::exchange::Opening;
use crate::host::{Buffer, ContextId, Host, Status};
use crate::labels::Metric;
use crate::labels::{Reporter, ResponseFlags};
use crate::peer::ConnectionAttributes;
use crate::peer::filter_state;
use crate::plugin::Plugin;
use crate::series::Series;

/// A connection from its open to its close.
///
/// Bytes are bytes of payload: behind the peer's frame, in front of our own. Received is what
/// flows from the client to the server, sent what flows back, on both reporters.
///
/// The labels are computed once and frozen: opened, closed, sent and received of a connection
/// always land in the same series, so opened − closed is exactly what is open.
#[derive(Debug)]
pub struct Connection {
    id: ContextId,
    reporter: Reporter,
    /// How many ticks the plugin had seen when the connection opened.
    opened_at_tick: u64,
    /// When it opened, if somebody wants to know how long it lasts.
    opened_at: Option<Duration>,
    /// Bytes from before the freeze.
    received: i64,
    sent: i64,
    /// Where the connection is counted, from the freeze on.
    series: Option<Rc<Series>>,
    /// What is needed until the exchange is over.
    opening: Option<Box<Opening>>,
    closed: bool,
}

/// What happens to the bytes of a data callback.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Flow {
    /// They go on.
    Continue,
    /// They stay where they are: the connection is lost, and the host neither closes it nor lets go
    /// of them.
    Hold,
}

impl Connection {
    /// `unplaced`: why the host does not tell the reporter, which is a guess then.
    pub(crate) fn new<H: Host>(
        plugin: &Plugin<H>,
        id: ContextId,
        reporter: Reporter,
        unplaced: Option<Status>,
    ) -> Self {
        Self {
            id,
            reporter,
            opened_at_tick: plugin.ticks(),
            opened_at: plugin.extended().and_then(|_| plugin.host().now().ok()),
            received: 0,
            sent: 0,
            series: None,
            opening: Some(Box::new(Opening::new(plugin, reporter, unplaced))),
            closed: false,
        }
    }

    /// `size` bytes in `buffer`, or the end of that direction, or both.
    pub fn on_data<H: Host>(
        &mut self,
        plugin: &Plugin<H>,
        buffer: Buffer,
        size: usize,
        end_of_stream: bool,
    ) -> Flow {
        let payload = match &mut self.opening {
            None => size,
            Some(opening) => {
                let payload = opening.on_data(plugin, buffer, size, end_of_stream);
                self.proceed(plugin);
                payload
            }
        };
        self.count(buffer, i64::try_from(payload).unwrap_or(i64::MAX));
        match &self.opening {
            Some(opening) if opening.is_stuck() => Flow::Hold,
            _ => Flow::Continue,
        }
    }

    /// Behind the data callback with the upstream's last bytes: what is to be done there and must not
    /// be done in it.
    pub fn on_upstream_end<H: Host>(&mut self, plugin: &Plugin<H>) {
        if let Some(opening) = &mut self.opening {
            opening.on_upstream_end(plugin);
        }
    }

    /// Freezes the labels when the exchange is decided, forgets the opening when it is over.
    fn proceed<H: Host>(&mut self, plugin: &Plugin<H>) {
        if self.series.is_none()
            && self
                .opening
                .as_ref()
                .is_some_and(|opening| opening.is_decided())
        {
            self.freeze(plugin, Moment::Callback);
        }
        if self.series.is_some()
            && self
                .opening
                .as_ref()
                .is_some_and(|opening| opening.is_over())
        {
            self.opening = None;
        }
    }

    fn count(&mut self, buffer: Buffer, payload: i64) {
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

    /// Computes the labels, for good, and counts what is known so far.
    fn freeze<H: Host>(&mut self, plugin: &Plugin<H>, moment: Moment) {
        let opening = self.opening.as_deref();
        let told = opening.and_then(Opening::told);
        let exchanged = told.is_some();
        let mut attributes = ConnectionAttributes::read(
            &plugin.attributes(),
            plugin.mode(),
            self.reporter,
            opening.and_then(Opening::upstream_san),
        );
        attributes.metadata = told.as_ref().map(|told| told.number);
        attributes.is_handshaking =
            opening.is_some_and(|opening| opening.is_handshaking(&plugin.attributes()));
        attributes.local_san = plugin.local_san(&attributes.tls);
        let identity = plugin.identify(attributes, told.as_deref());
        if let Err(status) =
            filter_state::write(plugin.host(), self.reporter, &identity.filter_state)
        {
            plugin.warn(|| format!("the host does not take the peer: {status}"));
        }
        let values = plugin.evaluate(moment);
        let series = plugin.series(&identity, &values);
        series.add(Metric::Opened, 1);
        series.add(Metric::Open, 1);
        series.add(Metric::Received, self.received);
        series.add(Metric::Sent, self.sent);
        plugin.observe(&series, &values);
        if let (Some(extended), Some(opened), true) = (plugin.extended(), self.opened_at, exchanged)
        {
            extended.exchanged(plugin.host(), plugin.selection(), &series, opened);
        }
        self.series = Some(series);
        plugin.decided(self.id);
    }

    /// Freezes the labels of a connection that has been undecided for a whole reporting interval.
    ///
    /// Not while the ends are still finding each other: labels taken then would stay wrong.
    pub(crate) fn freeze_overdue<H: Host>(&mut self, plugin: &Plugin<H>) {
        // The first tick comes sooner than an interval after the open, the second does not.
        let overdue = plugin.ticks() >= self.opened_at_tick.saturating_add(2);
        if !overdue || self.series.is_some() || self.closed {
            return;
        }
        if plugin.host().set_effective_context(self.id).is_err() {
            return;
        }
        let established = self
            .opening
            .as_ref()
            .is_none_or(|opening| opening.is_established(&plugin.attributes()));
        if established {
            self.freeze(plugin, Moment::Tick);
        }
    }

    /// The connection is over; what it moved is reported now. Only the first call counts.
    pub fn on_close<H: Host>(&mut self, plugin: &Plugin<H>) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        if let Some(opening) = &mut self.opening {
            opening.on_close(plugin);
        }
        if self.series.is_none() {
            self.freeze(plugin, Moment::Callback);
        }
        self.opening = None;
        let Some(series) = &self.series else { return };
        series.add(Metric::Closed, 1);
        series.add(Metric::Open, -1);
        plugin.report_close(series);
        if let Some(extended) = plugin.extended() {
            let flags = ResponseFlags(plugin.attributes().response_flags());
            extended.closed(
                plugin.host(),
                plugin.selection(),
                series,
                self.opened_at,
                flags,
            );
        }
    }
}
