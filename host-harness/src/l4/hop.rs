//! One connection in one proxy: the wasm filters, and tcp_proxy behind them.
//!
//! Envoy: `FilterManagerImpl`, `ConnectionImpl`, `TcpProxy::Filter`, `Wasm::Context`.

mod chain;
mod early;
mod early_data;
mod idle;
mod idle_timer;
mod reading;
mod tcp_proxy;
mod unread;

use std::cell::RefCell;
use std::rc::Rc;

use early_data::EarlyData;
use idle_timer::Idle;
use unread::Reading;

use super::filter::{Admission, Count, Filter};
use super::generation::Generation;
use super::proxy::Proxy;
use super::segment::{Ending, Segment, Socket, Toward};
use crate::abi::PeerType;
use crate::chain::ClientHello;
use crate::config::ConnectMode;
use crate::host::{Deferred, Stream};
use crate::stream_info::Upstream;
use crate::tls::Tls;

/// The upstream connect after tcp_proxy has chosen the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialing {
    /// The path connects to the next proxy or to the server application.
    Emulated,
    /// tcp_proxy waits for the path to connect.
    Reaching,
    /// The owner of the connection connects; tcp_proxy does not need the connection yet, or has it.
    Owner,
    /// The owner of the connection connects, and tcp_proxy waits for it.
    UnderWay,
    /// The endpoint refuses the connection.
    Refused,
}

/// A downstream connection, the filters' contexts for it, and the upstream connection.
pub(crate) struct Hop {
    proxy: Rc<dyn Proxy>,
    chain: Generation,
    /// In the order of the filter chain.
    filters: Vec<Filter>,
    stream: Rc<RefCell<Stream>>,
    downstream: Socket,
    upstream: Socket,
    was_connected: bool,
    /// What has arrived from the client, and what from the server, and was not read yet.
    from_client: Reading,
    from_server: Reading,
    /// The upstream that tcp_proxy will choose, unless a filter names another cluster.
    route: Upstream,
    /// The connections to the cluster of the upstream connection, while that is open.
    counted: Option<Count>,
    idle: Idle,
    dialing: Dialing,
    connect_mode: ConnectMode,
    /// The iteration has reached tcp_proxy.
    is_at_tcp_proxy: bool,
    /// What tcp_proxy reads before it has an upstream connection; `None` if it reads nothing then.
    early: Option<EarlyData>,
    sent: Vec<(Toward, Segment)>,
}

impl Hop {
    pub(crate) fn new(
        proxy: Rc<dyn Proxy>,
        admissions: Vec<Admission>,
        stream: Stream,
        route: Upstream,
        dialing: Dialing,
    ) -> Self {
        let stream = Rc::new(RefCell::new(stream));
        let admissions = admissions.into_iter();
        Self {
            proxy,
            chain: Generation::default(),
            filters: admissions
                .filter_map(|admission| Filter::new(admission, &stream))
                .collect(),
            stream,
            downstream: Socket::opened(),
            upstream: Socket::default(),
            was_connected: false,
            from_client: Reading::default(),
            from_server: Reading::default(),
            route,
            counted: None,
            idle: Idle::default(),
            dialing,
            connect_mode: ConnectMode::Immediate,
            is_at_tcp_proxy: false,
            early: None,
            sent: Vec::new(),
        }
    }

    /// Sets the filter chain.
    pub(crate) fn chain(mut self, chain: Generation) -> Self {
        self.chain = chain;
        self
    }

    pub(super) fn is(&self, proxy: usize, connection: u64) -> bool {
        self.is_of(proxy) && self.stream.borrow().info.connection_id == connection
    }

    pub(super) fn is_of(&self, proxy: usize) -> bool {
        self.proxy.identity() == proxy
    }

    pub(super) fn is_open(&self) -> bool {
        self.downstream.open
    }

    pub(super) fn is_connected(&self) -> bool {
        self.upstream.open
    }

    /// Whether the upstream connection was established. It may have ended since.
    pub(super) fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// Whether tcp_proxy has chosen an upstream.
    fn has_chosen(&self) -> bool {
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

    /// Stores the fingerprint of the ClientHello under this key, as a filter in front of the wasm
    /// filters does.
    pub(crate) fn fingerprint(self, offered_alpn: &[String], key: Option<&str>) -> Self {
        if let Some(key) = key {
            let info = &mut self.stream.borrow_mut().info;
            let tls = info.downstream_tls.as_ref();
            let fingerprint = tls.map_or_else(|| "-".to_owned(), |tls| tls.ja4(offered_alpn));
            info.filter_state.set_string(key.to_owned(), fingerprint);
        }
        self
    }

    /// The facts by which the next proxy chooses a filter chain.
    pub(super) fn hello(&self) -> ClientHello {
        let info = &self.stream.borrow().info;
        let tls = info
            .upstream
            .as_ref()
            .and_then(|chosen| chosen.tls.as_ref());
        ClientHello {
            is_tls: tls.is_some(),
            server_name: tls.map_or_else(String::new, |tls| tls.server_name.clone()),
            alpn: match tls {
                Some(_) => self.offered_alpn(),
                None => Vec::new(),
            },
        }
    }

    /// Completes the current event and returns the segments that it sent.
    pub(super) fn take_sent(&mut self) -> Vec<(Toward, Segment)> {
        self.settle();
        std::mem::take(&mut self.sent)
    }

    /// Opens the accepted connection: the filters are created one by one, then tcp_proxy connects
    /// upstream.
    pub(super) fn open(&mut self) {
        if self.early.is_some() {
            self.is_active();
        }
        self.run_read_filters(0);
    }

    /// Closes the connection if its filter chain was updated.
    pub(super) fn close_drained(&mut self) {
        if self.chain.is_draining() {
            self.close_downstream(PeerType::Local, Ending::End);
        }
    }

    /// The downstream TLS handshake is complete.
    pub(super) fn downstream_secured(&mut self, tls: Tls) {
        self.stream.borrow_mut().info.downstream_tls = Some(tls);
        self.finish_handshake();
    }

    /// A write to the peer on this side has failed. Envoy: `ConnectionImpl::onWriteReady`.
    pub(super) fn write_failed(&mut self, toward: Toward) {
        match toward {
            Toward::Client => self.downstream.write_failed = true,
            Toward::Server => self.upstream.write_failed = true,
        }
    }

    /// The sizes of the two read buffers.
    pub(super) fn held_up(&self) -> (usize, usize) {
        let stream = self.stream.borrow();
        (stream.downstream.len(), stream.upstream.len())
    }

    fn is_secured(&self) -> bool {
        let info = &self.stream.borrow().info;
        info.handshake_done || info.downstream_tls.is_none()
    }

    /// Whether a TLS handshake of the client can be completed: the connection is read. tcp_proxy reads
    /// nothing before it has an upstream connection, unless that waits for the client.
    pub(super) fn may_shake_hands(&self) -> bool {
        self.is_secured() || self.may_read()
    }

    pub(super) fn finish_handshake(&mut self) {
        self.proxy.notify_queues();
        self.stream.borrow_mut().info.handshake_done = true;
        if self.is_at_tcp_proxy && self.connect_mode == ConnectMode::OnDownstreamTlsHandshake {
            self.connect();
        }
    }

    /// The client has reset the connection, and no read event has shown it yet.
    pub(super) fn has_unseen_reset(&self) -> bool {
        self.downstream.open && self.downstream.reset
    }

    /// Lets the next event see that reset if it closes the connection.
    pub(super) fn see_reset(&mut self) {
        self.downstream.sees_reset = true;
    }

    /// Receives an event on the downstream (toward the server) or the upstream connection.
    pub(super) fn receive(&mut self, toward: Toward, segment: Segment) {
        match (toward, segment) {
            (Toward::Server, Segment::Data { bytes, end }) => self.client_sent(&bytes, end),
            (Toward::Server, Segment::Close) => self.client_sent(&[], true),
            (Toward::Server, Segment::Reset) if self.reads_reset_as_end(toward) => {
                self.downstream.reset = true;
                self.client_sent(&[], true);
            }
            (Toward::Client, Segment::Reset) if self.reads_reset_as_end(toward) => {
                self.upstream.reset = true;
                self.server_sent(&[], true);
            }
            (Toward::Server, Segment::Reset) if self.is_reading() && !self.downstream.read_end => {
                self.close_downstream(PeerType::Remote, self.after_reset(toward));
            }
            (Toward::Server, Segment::Reset) => self.downstream.reset = true,
            (Toward::Client, Segment::Data { bytes, end }) => self.server_sent(&bytes, end),
            (Toward::Client, Segment::Close) => self.server_sent(&[], true),
            (Toward::Client, Segment::Reset)
                if !self.upstream.read_end && !self.from_server.is_full() =>
            {
                self.on_upstream_closed(self.after_reset(toward));
            }
            (Toward::Client, Segment::Reset) => self.upstream.reset = true,
        }
    }

    /// Whether a reset of the connection that sends in this direction reads as the end of its stream.
    fn reads_reset_as_end(&self, toward: Toward) -> bool {
        let info = &self.stream.borrow().info;
        let has_tls = match toward {
            Toward::Server => info.downstream_tls.is_some(),
            Toward::Client => info.upstream.as_ref().is_some_and(|of| of.tls.is_some()),
        };
        has_tls && !self.proxy.profile().sees_resets_in_tls()
    }

    /// How tcp_proxy ends the connection in this direction after the one behind it was reset.
    fn after_reset(&self, toward: Toward) -> Ending {
        let profile = self.proxy.profile();
        let is_forwarded = match toward {
            Toward::Server => profile.forwards_resets_of_clients(),
            Toward::Client => profile.forwards_resets_of_servers(),
        };
        match is_forwarded {
            true => Ending::Reset,
            false => Ending::End,
        }
    }

    /// How tcp_proxy ends the connection in this direction after a write to the one behind it has
    /// failed. A reset after the end of that peer's half is a broken pipe, as for any closed socket.
    fn after_failed_write(&self, toward: Toward) -> Ending {
        let (socket, reading) = match toward {
            Toward::Server => (self.downstream, &self.from_client),
            Toward::Client => (self.upstream, &self.from_server),
        };
        match socket.reset && !reading.is_ended() {
            true => self.after_reset(toward),
            false => Ending::End,
        }
    }

    /// Bytes or the end from the client are there, and not read yet.
    pub(super) fn arrive(&mut self, bytes: &[u8], end: bool) {
        self.from_client.arrive(bytes, end);
    }

    /// Bytes or the end from the client. A closed socket answers bytes with a reset.
    fn client_sent(&mut self, bytes: &[u8], end: bool) {
        if !self.downstream.open {
            if !bytes.is_empty() {
                self.send(Toward::Client, Segment::Reset);
            }
        } else {
            self.from_client.arrive(bytes, end);
            self.read_client();
        }
    }

    /// Bytes or the end from the server. A closed socket answers bytes with a reset.
    fn server_sent(&mut self, bytes: &[u8], end: bool) {
        if self.upstream.open {
            self.from_server.arrive(bytes, end);
            self.read_server();
        } else if !bytes.is_empty() {
            self.send(Toward::Server, Segment::Reset);
        }
    }

    /// Performs the work that an event leaves to the event loop: closes connections whose writes
    /// failed (Envoy: `ConnectionImpl::onWriteReady`) and removes contexts of closed connections.
    fn settle(&mut self) {
        if self.upstream.write_failed || self.downstream.write_failed {
            self.proxy.notify_queues();
        }
        // Envoy handles the write event of a connection before its read event.
        if self.upstream.write_failed {
            self.on_upstream_closed(self.after_failed_write(Toward::Client));
        }
        if self.downstream.write_failed {
            self.close_downstream(PeerType::Remote, self.after_failed_write(Toward::Server));
        }
        self.read_client();
        if !self.downstream.open {
            self.filters.iter_mut().for_each(Filter::remove);
        }
    }

    /// Handles a read event on the downstream connection: what the read buffer has, with new bytes
    /// or again. Envoy: `ConnectionImpl::onReadReady`.
    fn on_downstream(&mut self, end: bool) {
        self.downstream.read_end = end;
        self.run_read_filters(0);
        if self.downstream.both_ended() {
            self.close_downstream(PeerType::Remote, Ending::End);
        }
        if self.upstream.both_ended() {
            // When the end is written.
            self.proxy.notify_queues();
            self.on_upstream_closed(Ending::End);
        }
    }

    /// Closes the downstream connection, ends the filters' contexts and closes the upstream
    /// connection with the same ending.
    fn close_downstream(&mut self, peer: PeerType, ending: Ending) {
        if !std::mem::take(&mut self.downstream.open) {
            return;
        }
        if matches!(self.dialing, Dialing::Reaching | Dialing::UnderWay) {
            // Envoy learns the host when the connection is established or has failed.
            let info = &mut self.stream.borrow_mut().info;
            if let Some(upstream) = &mut info.upstream {
                upstream.host = None;
            }
        }
        // The kernel resets a connection that is closed with bytes unread.
        let towards_client = match self.from_client.is_unread() {
            true => Ending::Reset,
            false => ending,
        };
        self.send(Toward::Client, towards_client.segment());
        for filter in 0..self.filters.len() {
            let filter = self.filters.get_mut(filter);
            let deferred = filter.map(|filter| filter.end(peer));
            self.defer(deferred.unwrap_or_default());
        }
        if std::mem::take(&mut self.upstream.open) {
            self.send(Toward::Server, ending.segment());
        } else if self.dialing == Dialing::Reaching {
            // The kernel has connected to the server before tcp_proxy closes.
            self.dialing = Dialing::Emulated;
            self.was_connected = true;
            self.send(Toward::Server, Segment::Close);
        }
        self.upstream_ended();
    }

    /// Performs an action of a filter after its callback has returned.
    pub(crate) fn run_deferred(&mut self, action: Deferred) {
        match action {
            Deferred::ContinueReading { filter, .. } if self.downstream.open => {
                let position = self.filters.iter().position(|other| other.is(filter));
                if let Some(position) = position {
                    self.run_read_filters(position + 1);
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
                _ => self.proxy.defer(action),
            }
        }
    }

    fn send(&mut self, toward: Toward, segment: Segment) {
        self.sent.push((toward, segment));
    }
}
