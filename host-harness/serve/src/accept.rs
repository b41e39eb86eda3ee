//! Accepting connections, and the filter chain for each.

use crate::config::Listener;
use crate::inspect::Inspection;
use crate::plugins::Plugins;
use crate::session::{Session, Transport};
use crate::stream::Inspected;
use rustls::server::Acceptor;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::spawn_local;
use tokio::time::{sleep, timeout};
use tokio_rustls::LazyConfigAcceptor;

/// How long to wait when the system has no more sockets.
const PAUSE: Duration = Duration::from_millis(100);

/// The next connection.
pub(crate) async fn next(socket: &TcpListener) -> (TcpStream, SocketAddr) {
    loop {
        match socket.accept().await {
            Ok(accepted) => return accepted,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Serves a listener for ever.
pub(crate) async fn listen(listener: Rc<Listener>, socket: TcpListener, plugins: Rc<Plugins>) {
    loop {
        let (stream, source) = next(&socket).await;
        let (listener, plugins) = (listener.clone(), plugins.clone());
        spawn_local(async move {
            // Without a filter chain there is nobody to tell that the connection failed.
            let _unserved = serve(&listener, stream, source, plugins).await;
        });
    }
}

/// `None` for a connection that gets no filter chain.
async fn serve(
    listener: &Listener,
    stream: TcpStream,
    source: SocketAddr,
    plugins: Rc<Plugins>,
) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let destination = stream.local_addr().ok()?;
    let mut stream = Inspected::new(stream);
    let chain = match listener.inspection {
        Some(limit) => {
            let inspection = timeout(limit, Inspection::of(&mut stream)).await.ok()??;
            inspection.choose(&listener.filter_chains)?
        }
        None => listener.filter_chains.first()?.clone(),
    };
    let transport = match chain.tls {
        Some(_) => {
            let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await;
            Transport::Tls(Box::new(start.ok()?))
        }
        None => Transport::Plain(stream),
    };
    let session = Session::new(&chain, source, destination, &transport, plugins)?;
    session.run(transport, listener.buffer_limit).await;
    Some(())
}
