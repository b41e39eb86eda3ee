//! tcp_proxy: the last filter of a hop's chain, and the upstream connection.

use super::{Dialing, Hop};
use crate::abi::PeerType;
use crate::l4::filter::FilterStatus;
use crate::l4::segment::{Ending, Segment, Socket, Toward};
use crate::property::Value;
use crate::tls::Tls;

/// `UF,URX`: the only connect attempt of tcp_proxy failed. Measured with Envoy 1.40.
const UPSTREAM_CONNECTION_FAILURE: i64 = 0x8020;

/// `UR`: the upstream connection was reset. Measured with Envoy 1.40.
const UPSTREAM_REMOTE_RESET: i64 = 0x10;

/// `NC`: there is no cluster of the name that a filter chose. Measured with Envoy 1.40.
const NO_CLUSTER_FOUND: i64 = 0x0100_0000;

/// The key of the filter state that names the cluster in place of the configuration. Envoy:
/// `PerConnectionCluster`.
const CHOSEN_CLUSTER: &str = "envoy.tcp_proxy.cluster";

/// The failure of a TLS handshake with a listener without a matching filter chain. Measured with
/// Envoy 1.40.
const HANDSHAKE_RESET: &str =
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

impl Hop {
    /// Chooses cluster and host, and connects. A filter that stops in `proxy_on_new_connection`
    /// delays this until `proxy_continue_stream`.
    pub(super) fn connect(&mut self) {
        if self.has_connected() || !self.downstream.open {
            return;
        }
        if self.chose_another_cluster() {
            self.stream.borrow_mut().info.response_flags |= NO_CLUSTER_FOUND;
            return self.close_downstream(PeerType::Local, Ending::End);
        }
        self.stream.borrow_mut().info.upstream = Some(self.route.clone());
        match self.dialing {
            Dialing::Emulated if !self.next_chain_matches() => self.fail_upstream(HANDSHAKE_RESET),
            Dialing::Emulated => {
                self.upstream = Socket::opened();
                self.send_early();
                self.read_unread();
            }
            Dialing::Owner | Dialing::UnderWay => self.dialing = Dialing::UnderWay,
            Dialing::Refused => self.fail_upstream("delayed connect error: Connection refused"),
        }
    }

    /// Whether a filter chose a cluster that this proxy does not have: it has one.
    fn chose_another_cluster(&self) -> bool {
        let stream = self.stream.borrow();
        let chosen = stream.info.filter_state.get(CHOSEN_CLUSTER);
        chosen.is_some_and(|chosen| match chosen.value() {
            Value::String(name) => *name != self.route.cluster.name,
            _ => false,
        })
    }

    /// Envoy: `FilterChainManagerImpl::findFilterChainForApplicationProtocols`.
    fn next_chain_matches(&self) -> bool {
        let offered = self.offered_alpn();
        self.next_protocols.is_empty()
            || offered
                .iter()
                .any(|name| self.next_protocols.contains(name))
    }

    /// Whether tcp_proxy waits for the owner to connect.
    pub(in crate::l4) fn is_connecting(&self) -> bool {
        self.dialing == Dialing::UnderWay && self.downstream.open
    }

    /// Takes the upstream connection of the owner and enables reading. Envoy:
    /// `TcpProxy::Filter::onUpstreamConnection`.
    pub(in crate::l4) fn upstream_connected(&mut self, tls: Option<Tls>) {
        if !self.is_connecting() {
            return;
        }
        self.dialing = Dialing::Owner;
        self.upstream = Socket::opened();
        if let Some(upstream) = &mut self.stream.borrow_mut().info.upstream {
            upstream.tls = tls;
        }
        self.send_early();
        self.read_unread();
    }

    /// Enables reading: the bytes that have arrived since are one read event. Envoy:
    /// `ConnectionImpl::readDisable(false)`.
    fn read_unread(&mut self) {
        let (bytes, end) = std::mem::take(&mut self.unread);
        if self.downstream.reset {
            self.close_downstream(PeerType::Remote, Ending::Reset);
        } else {
            self.on_downstream(&bytes, end);
        }
    }

    /// The owner cannot connect. Envoy: `TcpProxy::Filter::onUpstreamEvent`.
    pub(in crate::l4) fn upstream_failed(&mut self) {
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

    /// The last filter of the chain: forwards the read buffer to the upstream connection.
    pub(super) fn tcp_proxy_on_data(&mut self) {
        if !self.upstream.open {
            return self.before_upstream();
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

    /// Handles a read event on the upstream connection: tcp_proxy writes the bytes downstream.
    pub(super) fn on_upstream(&mut self, bytes: &[u8], end: bool) {
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
            self.send(Toward::Server, Segment::Close);
            // The close flushes first, and the flush may detect that the client has gone.
            let peer = match self.downstream.write_failed {
                true => PeerType::Remote,
                false => PeerType::Local,
            };
            self.close_downstream(peer, ending);
        }
    }
}
