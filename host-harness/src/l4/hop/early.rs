//! tcp_proxy before it has an upstream connection (`upstream_connect_mode`,
//! `max_early_data_bytes`).

use super::Hop;
use super::early_data::EarlyData;
use crate::config::ConnectMode;
use crate::l4::segment::{Segment, Toward};

impl Hop {
    /// Sets the event after which tcp_proxy connects, and how many bytes it reads before.
    pub(crate) fn connect_mode(mut self, mode: ConnectMode, limit: usize) -> Self {
        self.connect_mode = mode;
        self.early = (mode != ConnectMode::Immediate).then(|| EarlyData::new(limit));
        self
    }

    /// Whether the client's bytes are read as they arrive.
    pub(super) fn is_reading(&self) -> bool {
        self.may_read() && !self.from_client.is_full()
    }

    /// Whether tcp_proxy lets the downstream connection be read.
    pub(super) fn may_read(&self) -> bool {
        let reads_early = |early: &EarlyData| early.bytes.is_empty() || !early.is_full();
        let has_taker = self.upstream.open || self.early.as_ref().is_some_and(reads_early);
        self.downstream.open && has_taker
    }

    /// The iteration reaches tcp_proxy, which has no upstream connection: it keeps the bytes, and
    /// connects if this is the event that it waits for.
    pub(super) fn before_upstream(&mut self) {
        self.is_at_tcp_proxy = true;
        if self.early.is_some() {
            self.is_active();
        }
        if let Some(early) = &mut self.early {
            early
                .bytes
                .extend(self.stream.borrow_mut().downstream.take());
            early.end |= self.downstream.read_end;
        }
        let is_due = match self.connect_mode {
            ConnectMode::Immediate => true,
            ConnectMode::OnDownstreamData => {
                let early = self.early.as_ref();
                early.is_some_and(|early| !early.bytes.is_empty())
            }
            ConnectMode::OnDownstreamTlsHandshake => self.is_secured(),
        };
        if is_due {
            self.connect();
        }
    }

    /// The upstream connection exists: tcp_proxy sends what it kept. Envoy:
    /// `TcpProxy::Filter::onUpstreamConnection`.
    pub(super) fn send_early(&mut self) {
        let Some(EarlyData { bytes, end, .. }) = self.early.take() else {
            return;
        };
        if !bytes.is_empty() || end {
            self.upstream.write_end |= end;
            self.send(Toward::Server, Segment::Data { bytes, end });
        }
    }
}
