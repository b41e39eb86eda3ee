//! tcp_proxy: the last filter of a hop's chain, and the upstream connection.

use super::{Dialing, Hop};
use crate::abi::PeerType;
use crate::l4::filter::{CLUSTER_KEY, FilterStatus};
use crate::l4::segment::{Ending, Segment, Socket, Toward};
use crate::property::{StateObject, Value};
use crate::stream_info::Upstream;
use crate::tls::Tls;

/// `UF,URX`: the only connect attempt of tcp_proxy failed. Measured with Envoy 1.40.
const UPSTREAM_CONNECTION_FAILURE: i64 = 0x8020;

/// `UR`: the upstream connection was reset. Measured with Envoy 1.40.
const UPSTREAM_REMOTE_RESET: i64 = 0x10;

/// `UO`: the cluster has as many connections as it may have.
const UPSTREAM_OVERFLOW: i64 = 0x80;

/// `NC`: there is no cluster of the name that a filter chose. Measured with Envoy 1.40.
const NO_CLUSTER_FOUND: i64 = 0x0100_0000;

/// The failure of a connect to an address that does not listen.
const REFUSED: &str = "delayed connect error: Connection refused";

impl Hop {
    /// Chooses cluster and host, and connects. A filter that stops in `proxy_on_new_connection`
    /// delays this until `proxy_continue_stream`.
    pub(super) fn connect(&mut self) {
        if self.has_chosen() || !self.downstream.open {
            return;
        }
        let Some(mut chosen) = self.choose_upstream() else {
            return self.refuse_upstream(NO_CLUSTER_FOUND);
        };
        let has_room = self.count_connection(&chosen);
        if !has_room {
            chosen.host = None;
            chosen.tls = None;
        }
        {
            let info = &mut self.stream.borrow_mut().info;
            info.upstream = Some(chosen);
            info.attempts = u64::from(has_room);
        }
        if !has_room {
            return self.refuse_upstream(UPSTREAM_OVERFLOW);
        }
        match self.dialing {
            Dialing::Emulated | Dialing::Reaching => self.dialing = Dialing::Reaching,
            Dialing::Owner | Dialing::UnderWay => self.dialing = Dialing::UnderWay,
            Dialing::Refused => self.fail_upstream(REFUSED),
        }
    }

    /// The upstream of the cluster that a filter named, otherwise that of the configuration.
    fn choose_upstream(&self) -> Option<Upstream> {
        let stream = self.stream.borrow();
        let named = stream.info.filter_state.get(CLUSTER_KEY);
        match named.map(StateObject::value) {
            Some(Value::String(name)) if *name != self.route.cluster.name => self.proxy.route(name),
            _ => Some(self.route.clone()),
        }
    }

    /// Counts a connection to a cluster; false if there may not be one more.
    fn count_connection(&mut self, chosen: &Upstream) -> bool {
        let Some((count, limit)) = self.proxy.connections_to(&chosen.cluster.name) else {
            return true;
        };
        let has_room = count.add_below(limit);
        self.counted = has_room.then_some(count);
        has_room
    }

    /// tcp_proxy does not connect, for the reason of this response flag. Envoy: `onInitFailure`.
    fn refuse_upstream(&mut self, flag: i64) {
        self.stream.borrow_mut().info.response_flags |= flag;
        self.close_downstream(PeerType::Local, Ending::End);
    }

    /// The upstream connection does not exist any more.
    pub(super) fn upstream_ended(&mut self) {
        self.stop_idle_timeout();
        if let Some(count) = self.counted.take() {
            count.remove();
        }
    }

    /// Whether tcp_proxy waits for the path to connect.
    pub(in crate::l4) fn is_reaching(&self) -> bool {
        self.dialing == Dialing::Reaching && self.downstream.open && !self.upstream.open
    }

    /// The path has connected to the next proxy or to the server application.
    pub(in crate::l4) fn reached(&mut self) {
        self.dialing = Dialing::Emulated;
        self.connected();
    }

    /// The TLS handshake with the next proxy fails.
    pub(in crate::l4) fn handshake_failed(&mut self, reason: &str) {
        self.dialing = Dialing::Emulated;
        if let Some(upstream) = &mut self.stream.borrow_mut().info.upstream {
            upstream.tls = None;
        }
        self.fail_upstream(reason);
    }

    /// Uses the upstream connection and enables reading: the bytes that have arrived since are one
    /// read event. Envoy: `TcpProxy::Filter::onUpstreamConnection`.
    fn connected(&mut self) {
        self.proxy.notify_queues();
        self.upstream = Socket::opened();
        self.was_connected = true;
        self.is_active();
        self.send_early();
        if self.downstream.reset && self.downstream.read_end {
            self.close_downstream(PeerType::Remote, self.after_reset(Toward::Server));
        } else {
            self.read_client();
        }
    }

    /// Whether tcp_proxy waits for the owner to connect.
    pub(in crate::l4) fn is_connecting(&self) -> bool {
        self.dialing == Dialing::UnderWay && self.downstream.open
    }

    /// Takes the upstream connection of the owner.
    pub(in crate::l4) fn upstream_connected(&mut self, tls: Option<Tls>) {
        if !self.is_connecting() {
            return;
        }
        self.dialing = Dialing::Owner;
        if let Some(upstream) = &mut self.stream.borrow_mut().info.upstream {
            upstream.tls = tls;
        }
        self.connected();
    }

    /// The owner cannot connect. Envoy: `TcpProxy::Filter::onUpstreamEvent`.
    pub(in crate::l4) fn upstream_failed(&mut self) {
        if self.is_connecting() {
            self.dialing = Dialing::Owner;
            self.fail_upstream(REFUSED);
        }
    }

    fn fail_upstream(&mut self, reason: &str) {
        self.proxy.notify_queues();
        {
            let info = &mut self.stream.borrow_mut().info;
            info.response_flags |= UPSTREAM_CONNECTION_FAILURE;
            info.upstream_failure = Some(reason.to_owned());
        }
        self.close_downstream(PeerType::Local, Ending::End);
    }

    /// The last filter of the chain: forwards the read buffer to the upstream connection.
    pub(super) fn tcp_proxy_on_data(&mut self) {
        if !self.upstream.open {
            return self.before_upstream();
        }
        // Envoy writes nothing behind the end: `ConnectionImpl::write`.
        if self.upstream.write_end {
            return;
        }
        let bytes = self.stream.borrow_mut().downstream.take();
        let end = self.downstream.read_end;
        if bytes.is_empty() && !end {
            return;
        }
        self.upstream.write_end = end;
        self.is_active();
        if self.upstream.reset {
            self.upstream.write_failed |= !bytes.is_empty();
        } else {
            self.send(Toward::Server, Segment::Data { bytes, end });
        }
    }

    /// Handles a read event on the upstream connection: tcp_proxy writes what the read buffer has
    /// downstream.
    pub(super) fn on_upstream(&mut self, end: bool) {
        self.upstream.read_end = end;
        self.is_active();
        self.write_downstream(end);
        if self.upstream.both_ended() {
            self.on_upstream_closed(Ending::End);
        } else if self.downstream.both_ended() && !self.downstream.write_failed {
            // When the end is written.
            self.proxy.notify_queues();
            self.close_downstream(PeerType::Local, Ending::End);
        }
    }

    /// Runs the filters, then writes to the connection. Envoy: `ConnectionImpl::write`.
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

    /// The upstream connection has ended: tcp_proxy closes the downstream one with the same ending.
    /// Envoy: `onUpstreamEvent`.
    pub(super) fn on_upstream_closed(&mut self, ending: Ending) {
        if std::mem::take(&mut self.upstream.open) {
            if ending == Ending::Reset {
                self.stream.borrow_mut().info.response_flags |= UPSTREAM_REMOTE_RESET;
            }
            self.upstream_ended();
            self.send(Toward::Server, Segment::Close);
            let is_unwritten = |(toward, segment): &(Toward, Segment)| {
                let is_data = matches!(segment, Segment::Data { bytes, .. } if !bytes.is_empty());
                *toward == Toward::Client && is_data
            };
            if self.sent.iter().any(is_unwritten) {
                // When they are written.
                self.proxy.notify_queues();
            }
            // The close flushes first, and the flush may detect that the client has gone.
            let peer = match self.downstream.write_failed || self.downstream.sees_reset {
                true => PeerType::Remote,
                false => PeerType::Local,
            };
            self.close_downstream(peer, ending);
        }
    }
}
