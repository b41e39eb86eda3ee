//! A connection whose two ends are outside of the harness.

use super::app::App;
use super::connection::{Path, pump};
use super::hop::Hop;
use super::segment::Toward;
use crate::host::Tls;
use std::cell::RefCell;
use std::rc::Rc;

/// A connection through one proxy whose client and server are elsewhere, on real sockets for instance.
///
/// The owner reports what happens there, as [`Self::client`] and [`Self::server`] doing it, and passes on what these
/// two receive. It also connects upstream when [`Self::is_connecting`] says so, and does the TLS.
#[derive(Clone)]
pub struct Relay {
    /// The peer on the downstream connection.
    pub client: App,
    /// The peer on the upstream connection.
    pub server: App,
    path: Rc<RefCell<Path>>,
}

impl Relay {
    /// The connection was accepted; its downstream TLS handshake, if there is one, is still to come.
    pub(crate) fn open(hop: Hop) -> Self {
        let path = Rc::new(RefCell::new(Path::new(vec![hop])));
        path.borrow().hop_ref(|hop| hop.register(&path));
        path.borrow_mut().first(Hop::open);
        pump(&path);
        Self {
            client: App::new(path.clone(), Toward::Server),
            server: App::new(path.clone(), Toward::Client),
            path,
        }
    }

    /// Calls `observer` whenever anything of this connection may have changed, also by way of another connection or of
    /// a tick.
    pub fn observe(&self, observer: impl Fn() + 'static) {
        self.path.borrow_mut().observer = Some(Rc::new(observer));
    }

    /// tcp_proxy wants to be connected upstream. Until it is, Envoy does not read from the downstream connection.
    pub fn is_connecting(&self) -> bool {
        self.ask(Hop::is_connecting)
    }

    /// The upstream connection is there, its TLS handshake included.
    pub fn upstream_connected(&self, tls: Option<Tls>) {
        self.tell(|hop| hop.upstream_connected(tls));
    }

    /// There is no upstream connection to be had: response flag UF, and the downstream connection is closed.
    pub fn upstream_failed(&self) {
        self.tell(Hop::upstream_failed);
    }

    /// The downstream TLS handshake is finished.
    pub fn downstream_secured(&self, tls: Tls) {
        self.tell(|hop| hop.downstream_secured(tls));
    }

    /// The upstream connection is there: Envoy reads from the downstream connection.
    pub fn is_connected(&self) -> bool {
        self.ask(Hop::is_connected)
    }

    /// Writing to the client has failed: the proxy closes the connection.
    pub fn client_write_failed(&self) {
        self.tell(|hop| hop.write_failed(Toward::Client));
    }

    /// Writing to the server has failed: the proxy closes the connection.
    pub fn server_write_failed(&self) {
        self.tell(|hop| hop.write_failed(Toward::Server));
    }

    /// The proxy has not closed the connection.
    pub fn is_open(&self) -> bool {
        self.ask(Hop::is_open)
    }

    /// The ALPN protocols to offer upstream: set by the filter, else the cluster's own.
    pub fn offered_alpn(&self) -> Vec<String> {
        self.ask(Hop::offered_alpn)
    }

    /// A filter state object of the downstream connection.
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        self.ask(|hop| hop.filter_state(key))
    }

    /// Bytes from the client, and from the server, that a paused filter holds up.
    pub fn held_up(&self) -> (usize, usize) {
        self.ask(Hop::held_up)
    }

    fn ask<T: Default>(&self, question: impl FnOnce(&Hop) -> T) -> T {
        self.path.borrow().hop_ref(question)
    }

    fn tell(&self, happened: impl FnOnce(&mut Hop)) {
        self.path.borrow_mut().first(happened);
        pump(&self.path);
    }
}
