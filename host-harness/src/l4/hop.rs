//! One connection inside one proxy: the wasm filters, and tcp_proxy behind them.
//!
//! Envoy: `FilterManagerImpl`, `ConnectionImpl`, `TcpProxy::Filter`, `Wasm::Context`.

mod chain;
mod filter;

use super::connection::Path;
use super::segment::{Segment, Socket, Toward};
use crate::abi::PeerType;
use crate::host::{Deferred, Stream, Tls, Upstream};
use crate::sidecar::{Admission, Inner};
use chain::FilterStatus;
use filter::Filter;
use std::cell::RefCell;
use std::rc::Rc;

/// How a connection ends as its peer sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// FIN.
    End,
    /// RST: tcp_proxy passes a reset on from one side to the other.
    Reset,
}

impl Ending {
    fn segment(self) -> Segment {
        match self {
            Self::End => Segment::Close,
            Self::Reset => Segment::Reset,
        }
    }
}

/// Who connects upstream once tcp_proxy has chosen the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialing {
    /// Nobody: the connection is there at once.
    Emulated,
    /// The owner of the connection, who is not asked yet.
    Owner,
    /// The owner of the connection, who was asked.
    UnderWay,
    /// Nobody: the endpoint refuses.
    Refused,
}

/// `UF,URX`: the one connect attempt that tcp_proxy makes failed. Measured with Envoy 1.40.
const UPSTREAM_CONNECTION_FAILURE: i64 = 0x8020;

/// What a listener without a matching filter chain does to a TLS handshake. Measured with Envoy 1.40.
const HANDSHAKE_RESET: &str =
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

/// `UR`: the upstream connection was reset. Measured with Envoy 1.40.
const UPSTREAM_REMOTE_RESET: i64 = 0x10;

/// A downstream connection, the filters' contexts for it, and the upstream connection.
pub(crate) struct Hop {
    sidecar: Rc<Inner>,
    /// In the order of the filter chain.
    filters: Vec<Filter>,
    /// There is no VM for a filter, and the policy is to do without connections then.
    refused: bool,
    stream: Rc<RefCell<Stream>>,
    downstream: Socket,
    upstream: Socket,
    /// What has come from the client while reading was disabled, and whether its half ended with it.
    unread: (Vec<u8>, bool),
    /// What tcp_proxy will choose.
    route: Upstream,
    dialing: Dialing,
    /// The ALPN protocols that the next proxy has a filter chain for; nothing is any.
    protocols_ahead: Vec<String>,
    sent: Vec<(Toward, Segment)>,
}

impl Hop {
    pub(crate) fn new(
        sidecar: Rc<Inner>,
        admissions: Vec<Admission>,
        stream: Stream,
        route: Upstream,
        dialing: Dialing,
    ) -> Self {
        let refused = |admission: &Admission| matches!(admission, Admission::Refused);
        let refused = admissions.iter().any(refused);
        let filters = admissions
            .into_iter()
            .filter_map(|admission| match admission {
                Admission::Filtered(worker) => Some(Filter::new(worker)),
                Admission::PassThrough | Admission::Refused => None,
            });
        Self {
            sidecar,
            filters: filters.collect(),
            refused,
            stream: Rc::new(RefCell::new(stream)),
            downstream: Socket::opened(),
            upstream: Socket::default(),
            unread: Default::default(),
            route,
            dialing,
            protocols_ahead: Vec::new(),
            sent: Vec::new(),
        }
    }

    /// The proxy that this one's connection goes on to.
    pub(crate) fn in_front_of(mut self, next: &Inner) -> Self {
        self.protocols_ahead = next.application_protocols.clone();
        self
    }

    pub(super) fn register(&self, path: &Rc<RefCell<Path>>) {
        self.sidecar.register(path);
    }

    pub(super) fn sidecar(&self) -> Rc<Inner> {
        self.sidecar.clone()
    }

    pub(super) fn is(&self, sidecar: usize, id: u64) -> bool {
        self.sidecar.identity() == sidecar && self.stream.borrow().info.connection_id == id
    }

    pub(super) fn is_of(&self, sidecar: usize) -> bool {
        self.sidecar.identity() == sidecar
    }

    pub(super) fn is_open(&self) -> bool {
        self.downstream.open
    }

    pub(super) fn is_connected(&self) -> bool {
        self.upstream.open
    }

    /// tcp_proxy has connected upstream, whether or not it still is.
    pub(super) fn has_connected(&self) -> bool {
        self.stream.borrow().info.upstream.is_some()
    }

    pub(super) fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        let stream = self.stream.borrow();
        let object = stream.info.filter_state.get(key)?;
        Some(object.bytes().to_vec())
    }

    pub(super) fn offered_alpn(&self) -> Vec<String> {
        match self.filter_state("envoy.network.application_protocols") {
            Some(list) => String::from_utf8_lossy(&list)
                .split(',')
                .map(|name| name.trim().to_owned())
                .collect(),
            None => self.route.cluster.alpn.clone(),
        }
    }

    /// What an event made this proxy send.
    pub(super) fn take_sent(&mut self) -> Vec<(Toward, Segment)> {
        self.settle();
        std::mem::take(&mut self.sent)
    }

    /// The connection was accepted: the filters are created and asked one by one, then tcp_proxy connects upstream.
    pub(super) fn open(&mut self) {
        if self.refused {
            self.close_downstream(PeerType::Local, Ending::End);
            return;
        }
        self.run_read_filters(0);
    }

    /// tcp_proxy chooses cluster and host when its turn comes; reading is disabled until it is connected. A filter that
    /// stops in `proxy_on_new_connection` keeps its turn from coming, until `proxy_continue_stream`.
    fn connect(&mut self) {
        if self.has_connected() || !self.downstream.open {
            return;
        }
        self.stream.borrow_mut().info.upstream = Some(self.route.clone());
        match self.dialing {
            Dialing::Emulated if !self.finds_a_chain_ahead() => self.fail_upstream(HANDSHAKE_RESET),
            Dialing::Emulated => {
                self.upstream = Socket::opened();
                self.read_unread();
            }
            Dialing::Owner | Dialing::UnderWay => self.dialing = Dialing::UnderWay,
            Dialing::Refused => self.fail_upstream("delayed connect error: Connection refused"),
        }
    }

    /// Envoy: `FilterChainManagerImpl::findFilterChainForApplicationProtocols`.
    fn finds_a_chain_ahead(&self) -> bool {
        let offered = self.offered_alpn();
        self.protocols_ahead.is_empty()
            || offered
                .iter()
                .any(|name| self.protocols_ahead.contains(name))
    }

    pub(super) fn is_connecting(&self) -> bool {
        self.dialing == Dialing::UnderWay && self.downstream.open
    }

    /// Envoy: `TcpProxy::Filter::onUpstreamConnection`, which goes on reading.
    pub(super) fn upstream_connected(&mut self, tls: Option<Tls>) {
        if !self.is_connecting() {
            return;
        }
        self.dialing = Dialing::Owner;
        self.upstream = Socket::opened();
        if let Some(upstream) = &mut self.stream.borrow_mut().info.upstream {
            upstream.tls = tls;
        }
        self.read_unread();
    }

    /// Reading goes on: what has come meanwhile is one read event. Envoy: `ConnectionImpl::readDisable(false)`.
    fn read_unread(&mut self) {
        let (bytes, end) = std::mem::take(&mut self.unread);
        if self.downstream.reset {
            self.close_downstream(PeerType::Remote, Ending::Reset);
        } else {
            self.on_downstream(&bytes, end);
        }
    }

    /// Envoy: `TcpProxy::Filter::onUpstreamEvent` with a failure to connect.
    pub(super) fn upstream_failed(&mut self) {
        if self.is_connecting() {
            self.dialing = Dialing::Owner;
            self.fail_upstream("delayed connect error: Connection refused");
        }
    }

    fn fail_upstream(&mut self, reason: &str) {
        {
            let info = &mut self.stream.borrow_mut().info;
            info.response_flags |= UPSTREAM_CONNECTION_FAILURE;
            info.upstream_failure = Some(reason.to_owned());
        }
        self.close_downstream(PeerType::Local, Ending::End);
    }

    /// Closes the connection if the root of one of its filters is not the newest one.
    pub(super) fn close_drained(&mut self) {
        if self.filters.iter().any(Filter::is_draining) {
            self.close_downstream(PeerType::Local, Ending::End);
        }
    }

    pub(super) fn downstream_secured(&mut self, tls: Tls) {
        self.stream.borrow_mut().info.downstream_tls = Some(tls);
        self.finish_handshake();
    }

    /// Writing to the peer on this side has failed. Envoy: `ConnectionImpl::onWriteReady`.
    pub(super) fn write_failed(&mut self, toward: Toward) {
        match toward {
            Toward::Client => self.downstream.write_failed = true,
            Toward::Server => self.upstream.write_failed = true,
        }
    }

    /// Bytes in the two read buffers.
    pub(super) fn held_up(&self) -> (usize, usize) {
        let stream = self.stream.borrow();
        (stream.downstream.len(), stream.upstream.len())
    }

    pub(super) fn finish_handshake(&mut self) {
        self.stream.borrow_mut().info.handshake_done = true;
    }

    /// An event on the downstream (toward the server) or the upstream connection.
    pub(super) fn receive(&mut self, toward: Toward, segment: Segment) {
        match (toward, segment) {
            (Toward::Server, Segment::Data { bytes, end }) => self.client_sent(bytes, end),
            (Toward::Server, Segment::Close) => self.client_sent(Vec::new(), true),
            (Toward::Server, Segment::Reset) if self.upstream.open && !self.downstream.read_end => {
                self.close_downstream(PeerType::Remote, Ending::Reset);
            }
            (Toward::Server, Segment::Reset) => self.downstream.reset = true,
            (Toward::Client, Segment::Data { bytes, end }) => self.server_sent(&bytes, end),
            (Toward::Client, Segment::Close) => self.server_sent(&[], true),
            (Toward::Client, Segment::Reset) if !self.upstream.read_end => {
                self.on_upstream_closed(Ending::Reset);
            }
            (Toward::Client, Segment::Reset) => self.upstream.reset = true,
        }
    }

    /// A closed socket answers bytes with a reset.
    fn client_sent(&mut self, bytes: Vec<u8>, end: bool) {
        if !self.downstream.open {
            if !bytes.is_empty() {
                self.send(Toward::Client, Segment::Reset);
            }
        } else if self.upstream.open {
            self.on_downstream(&bytes, end);
        } else {
            self.unread.0.extend(bytes);
            self.unread.1 |= end;
        }
    }

    fn server_sent(&mut self, bytes: &[u8], end: bool) {
        if self.upstream.open {
            self.on_upstream(bytes, end);
        } else if !bytes.is_empty() {
            self.send(Toward::Server, Segment::Reset);
        }
    }

    /// What an event leaves to the event loop. A peer that is gone is noticed by writing (Envoy:
    /// `ConnectionImpl::onWriteReady`), and what is closed is deleted.
    fn settle(&mut self) {
        if self.upstream.write_failed {
            self.on_upstream_closed(Ending::End);
        }
        if self.downstream.write_failed {
            self.close_downstream(PeerType::Remote, Ending::End);
        }
        if !self.downstream.open {
            self.filters.iter_mut().for_each(Filter::forget);
        }
    }

    /// A read event on the downstream connection. Envoy: `ConnectionImpl::onReadReady`.
    fn on_downstream(&mut self, bytes: &[u8], end: bool) {
        if !self.downstream.open || self.downstream.read_end || (bytes.is_empty() && !end) {
            return;
        }
        self.stream.borrow_mut().downstream.append(bytes);
        self.downstream.read_end = end;
        self.run_read_filters(0);
        if self.downstream.both_ended() {
            self.close_downstream(PeerType::Remote, Ending::End);
        }
        if self.upstream.both_ended() {
            self.on_upstream_closed(Ending::End);
        }
    }

    /// The last filter of the chain: everything goes on to the upstream connection.
    fn tcp_proxy_on_data(&mut self) {
        if !self.upstream.open {
            return self.connect();
        }
        let bytes = self.stream.borrow_mut().downstream.take();
        let end = self.downstream.read_end && !self.upstream.write_end;
        if bytes.is_empty() && !end {
            return;
        }
        self.upstream.write_end |= end;
        if self.upstream.reset {
            self.upstream.write_failed |= !bytes.is_empty();
        } else {
            self.send(Toward::Server, Segment::Data { bytes, end });
        }
    }

    /// A read event on the upstream connection: tcp_proxy writes it to the downstream connection.
    fn on_upstream(&mut self, bytes: &[u8], end: bool) {
        if !self.upstream.open || self.upstream.read_end || (bytes.is_empty() && !end) {
            return;
        }
        self.stream.borrow_mut().upstream.append(bytes);
        self.upstream.read_end = end;
        self.write_downstream(end);
        if self.upstream.both_ended() {
            self.on_upstream_closed(Ending::End);
        } else if self.downstream.both_ended() && !self.downstream.write_failed {
            self.close_downstream(PeerType::Local, Ending::End);
        }
    }

    /// The filters, then the connection. Envoy: `ConnectionImpl::write`.
    fn write_downstream(&mut self, end: bool) {
        if !self.downstream.open || self.downstream.write_end {
            return;
        }
        if self.run_write_filters(end) == FilterStatus::StopIteration {
            return;
        }
        let bytes = self.stream.borrow_mut().upstream.take();
        self.downstream.write_end = end;
        if self.downstream.reset {
            self.downstream.write_failed |= !bytes.is_empty();
        } else if !bytes.is_empty() || end {
            self.send(Toward::Client, Segment::Data { bytes, end });
        }
    }

    /// The upstream connection is gone: tcp_proxy closes the downstream one, the same way. Envoy: `onUpstreamEvent`.
    fn on_upstream_closed(&mut self, ending: Ending) {
        if std::mem::take(&mut self.upstream.open) {
            if ending == Ending::Reset {
                self.stream.borrow_mut().info.response_flags |= UPSTREAM_REMOTE_RESET;
            }
            self.send(Toward::Server, Segment::Close);
            // Closing flushes first; what the flush finds out counts.
            let peer = match self.downstream.write_failed {
                true => PeerType::Remote,
                false => PeerType::Local,
            };
            self.close_downstream(peer, ending);
        }
    }

    /// The downstream connection is gone, and the filters' contexts and the upstream connection with it, the same way.
    fn close_downstream(&mut self, peer: PeerType, ending: Ending) {
        if !std::mem::take(&mut self.downstream.open) {
            return;
        }
        // The kernel resets a connection that is closed with bytes unread.
        let (unread, _) = std::mem::take(&mut self.unread);
        let towards_client = if unread.is_empty() {
            ending
        } else {
            Ending::Reset
        };
        self.send(Toward::Client, towards_client.segment());
        for filter in 0..self.filters.len() {
            let deferred = self.filters.get(filter).map(|filter| filter.end(peer));
            self.defer(deferred.unwrap_or_default());
        }
        if std::mem::take(&mut self.upstream.open) {
            self.send(Toward::Server, ending.segment());
        }
    }

    /// What a filter asked for in a callback, done once the callback has returned.
    pub(crate) fn run_deferred(&mut self, action: Deferred) {
        match action {
            Deferred::ContinueReading { filter, .. } if self.downstream.open => {
                let asking = self.filters.iter().position(|other| other.is(filter));
                if let Some(asking) = asking {
                    self.run_read_filters(asking + 1);
                }
            }
            Deferred::Close(_) => self.close_downstream(PeerType::Local, Ending::End),
            Deferred::ContinueReading { .. } | Deferred::Done(_) => {}
        }
    }

    fn defer(&mut self, deferred: Vec<Deferred>) {
        let own = self.stream.borrow().info.connection_id;
        for action in deferred {
            match action {
                Deferred::ContinueReading { connection, .. } | Deferred::Close(connection)
                    if connection == own =>
                {
                    self.run_deferred(action);
                }
                _ => self.sidecar.defer(action),
            }
        }
    }

    fn send(&mut self, toward: Toward, segment: Segment) {
        self.sent.push((toward, segment));
    }
}
