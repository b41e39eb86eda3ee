//! One proxied connection: two sockets, TLS on either, and the harness' model between them.

use crate::config::{Cluster, FilterChain};
use crate::pipe::{Pipe, Side, until};
use crate::plugins::Plugins;
use crate::stream::{Inspected, Stream};
use crate::tls::facts;
use host_harness::{Downstream, Relay, Tls};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::{StartHandshake, TlsConnector};

/// What was accepted.
pub(crate) enum Transport {
    Plain(Inspected),
    /// The ClientHello is read, and nothing answered.
    Tls(Box<StartHandshake<Inspected>>),
}

/// A connection that has its filter chain.
pub(crate) struct Session {
    chain: Rc<FilterChain>,
    endpoint: SocketAddr,
    relay: Relay,
    changed: Rc<watch::Sender<()>>,
    plugins: Rc<Plugins>,
}

impl Session {
    /// Shows the connection to the filter. `None` if its cluster has no host.
    pub(crate) fn new(
        chain: &Rc<FilterChain>,
        source: SocketAddr,
        destination: SocketAddr,
        transport: &Transport,
        plugins: Rc<Plugins>,
    ) -> Option<Self> {
        let endpoint = chain.cluster.choose()?;
        let downstream = Downstream {
            source: source.to_string(),
            destination: destination.to_string(),
            filter_chain_name: chain.name.clone(),
            tls: own_facts(chain, transport),
        };
        plugins.catch_up();
        let relay = plugins.sidecar(&chain.plugins).relay(
            downstream,
            chain.cluster.attributes(),
            endpoint.attributes(),
        );
        let changed = Rc::new(watch::Sender::new(()));
        let notify = Rc::clone(&changed);
        relay.observe(move || {
            notify.send_replace(());
        });
        Some(Self {
            chain: Rc::clone(chain),
            endpoint: endpoint.address,
            relay,
            changed,
            plugins,
        })
    }

    /// Serves the connection to its end.
    pub(crate) async fn run(self, transport: Transport, buffer_limit: usize) {
        tokio::join!(
            self.downstream(transport, buffer_limit),
            self.upstream(self.chain.cluster.buffer_limit)
        );
    }

    /// Envoy's downstream connection: not read until tcp_proxy is connected; then the handshake, then data.
    async fn downstream(&self, transport: Transport, buffer_limit: usize) {
        self.until(|relay| relay.is_connected() || !relay.is_open())
            .await;
        if !self.relay.is_open() {
            return;
        }
        let stream = tokio::select! {
            biased;
            stream = self.handshake(transport) => stream,
            () = self.until(|relay| !relay.is_open() && relay.client.unread() == 0) => return,
        };
        match stream {
            Ok(stream) => {
                self.pipe(Side::Downstream, buffer_limit).run(stream).await;
            }
            Err(_) => {
                self.plugins.catch_up();
                self.relay.client.reset();
            }
        }
    }

    async fn handshake(&self, transport: Transport) -> io::Result<Box<dyn Stream>> {
        let start = match transport {
            Transport::Plain(stream) => return Ok(Box::new(stream)),
            Transport::Tls(start) => start,
        };
        let tls = self.chain.tls.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let hello = start.client_hello();
        let server_name = hello.server_name().unwrap_or_default().to_owned();
        let config = tls.config(&hello);
        let stream = start.into_stream(config).await?;
        let (_, connection) = stream.get_ref();
        let facts = facts(connection, tls.local_san()).server_name(server_name);
        self.plugins.catch_up();
        self.relay.downstream_secured(facts);
        Ok(Box::new(stream))
    }

    /// tcp_proxy's upstream connection.
    async fn upstream(&self, buffer_limit: usize) {
        self.until(|relay| relay.is_connecting() || !relay.is_open())
            .await;
        if !self.relay.is_open() {
            return;
        }
        let dialed = timeout(self.chain.cluster.connect_timeout, self.dial()).await;
        self.plugins.catch_up();
        let Ok(Ok((stream, tls))) = dialed else {
            self.relay.upstream_failed();
            return;
        };
        self.relay.upstream_connected(tls);
        self.pipe(Side::Upstream, buffer_limit).run(stream).await;
    }

    async fn dial(&self) -> io::Result<(Box<dyn Stream>, Option<Tls>)> {
        let stream = TcpStream::connect(self.endpoint).await?;
        stream.set_nodelay(true)?;
        let Cluster { tls: Some(tls), .. } = self.chain.cluster.as_ref() else {
            return Ok((Box::new(stream), None));
        };
        let name = tls
            .server_name(self.endpoint.ip())
            .ok_or(io::ErrorKind::InvalidInput)?;
        let connector = TlsConnector::from(tls.offering(&self.relay.offered_alpn()));
        let stream = connector.connect(name, stream).await?;
        let facts = facts(stream.get_ref().1, tls.local_san());
        Ok((Box::new(stream), Some(facts)))
    }

    fn pipe(&self, side: Side, limit: usize) -> Pipe<'_> {
        Pipe {
            side,
            relay: &self.relay,
            changed: &self.changed,
            plugins: &self.plugins,
            limit,
        }
    }

    async fn until(&self, condition: impl Fn(&Relay) -> bool) {
        until(&self.changed, &self.relay, condition).await;
    }
}

/// What the filter can read of the downstream TLS before the handshake.
fn own_facts(chain: &FilterChain, transport: &Transport) -> Option<Tls> {
    let Transport::Tls(start) = transport else {
        return None;
    };
    let hello = start.client_hello();
    Some(chain.tls.as_ref()?.own_facts(hello.server_name()))
}
