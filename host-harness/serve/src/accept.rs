//! Accepting connections, and the filter chain for each.

use crate::config::{FilterChain, Listener};
use crate::plugins::Plugins;
use crate::session::{Session, Transport};
use rustls::server::Acceptor;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;

/// The first byte of a TLS handshake record.
const HANDSHAKE: u8 = 22;
/// How long to wait when the system has no more sockets.
const PAUSE: Duration = Duration::from_millis(100);

/// Accepts connections for ever.
pub(crate) async fn listen(listener: Rc<Listener>, socket: TcpListener, plugins: Rc<Plugins>) {
    loop {
        match socket.accept().await {
            Ok((stream, peer)) => {
                spawn_local(accept(listener.clone(), stream, peer, plugins.clone()));
            }
            Err(_) => sleep(PAUSE).await,
        }
    }
}

async fn accept(
    listener: Rc<Listener>,
    stream: TcpStream,
    source: SocketAddr,
    plugins: Rc<Plugins>,
) {
    let (Ok(destination), Ok(())) = (stream.local_addr(), stream.set_nodelay(true)) else {
        return;
    };
    // Without a chain, or before the peer says enough to choose one, there is no connection yet.
    let chosen = match listener.inspection {
        Some(limit) => timeout(limit, inspect(&listener, stream))
            .await
            .ok()
            .flatten(),
        None => uninspected(&listener, stream).await,
    };
    let Some((chain, transport)) = chosen else {
        return;
    };
    let session = Session::new(&chain, source, destination, &transport, plugins);
    if let Some(session) = session {
        session.run(transport, listener.buffer_limit).await;
    }
}

/// Envoy's `tls_inspector`: the first bytes tell the transport protocol, a ClientHello the ALPN protocols on offer.
async fn inspect(listener: &Listener, stream: TcpStream) -> Option<(Rc<FilterChain>, Transport)> {
    let mut first = [0];
    if stream.peek(&mut first).await.ok()? == 0 {
        return None;
    }
    if first != [HANDSHAKE] {
        let chain = choose(&listener.filter_chains, "raw_buffer", &[])?;
        return chain
            .tls
            .is_none()
            .then_some((chain, Transport::Plain(stream)));
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .ok()?;
    let hello = start.client_hello();
    let offered: Vec<Vec<u8>> = hello
        .alpn()
        .into_iter()
        .flatten()
        .map(<[u8]>::to_vec)
        .collect();
    let chain = choose(&listener.filter_chains, "tls", &offered)?;
    // A chain without TLS would have to pass the ClientHello on, which is consumed.
    chain
        .tls
        .is_some()
        .then_some((chain, Transport::Tls(Box::new(start))))
}

async fn uninspected(
    listener: &Listener,
    stream: TcpStream,
) -> Option<(Rc<FilterChain>, Transport)> {
    let chain = listener.filter_chains.first()?.clone();
    if chain.tls.is_none() {
        return Some((chain, Transport::Plain(stream)));
    }
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream)
        .await
        .ok()?;
    Some((chain, Transport::Tls(Box::new(start))))
}

/// Envoy's order: the transport protocol, exactly or not at all; then the client's ALPN protocols in its order, then none.
/// There is no way back from a more specific match. Envoy: `FilterChainManagerImpl::findFilterChain`.
fn choose(
    chains: &[Rc<FilterChain>],
    transport: &str,
    alpn: &[Vec<u8>],
) -> Option<Rc<FilterChain>> {
    let of = |transport: &str| -> Vec<_> {
        let chains = chains.iter();
        chains
            .filter(|chain| chain.matches.transport_protocol == transport)
            .collect()
    };
    let mut candidates = of(transport);
    if candidates.is_empty() {
        candidates = of("");
    }
    let with = |name: &Vec<u8>| {
        candidates.iter().find(|chain| {
            let mut names = chain.matches.application_protocols.iter();
            names.any(|wanted| wanted.as_bytes() == name)
        })
    };
    let without = || {
        let mut candidates = candidates.iter();
        candidates.find(|chain| chain.matches.application_protocols.is_empty())
    };
    alpn.iter()
        .find_map(with)
        .or_else(without)
        .map(|chain| Rc::clone(chain))
}
