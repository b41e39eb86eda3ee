//! A connection whose two ends are outside of the harness.

use std::cell::RefCell;
use std::rc::Rc;

use super::app::App;
use super::hop::Hop;
use super::path::{Path, pump};
use super::segment::Toward;
use crate::tls::Tls;

/// A connection through one proxy with client and server outside of the harness, for example on
/// real sockets.
///
/// The owner forwards the events of its sockets to [`Self::client`] and [`Self::server`] and writes
/// the bytes that these two receive. It also connects upstream when [`Self::is_connecting`] is
/// true, and terminates and originates TLS.
#[derive(Clone)]
pub struct Relay {
    /// The peer on the downstream connection.
    pub client: App,
    /// The peer on the upstream connection.
    pub server: App,
    path: Rc<RefCell<Path>>,
}

impl Relay {
    /// Opens an accepted connection. A downstream TLS handshake has not begun yet.
    pub(crate) fn open(path: Rc<RefCell<Path>>) -> Self {
        path.borrow_mut().open_first();
        pump(&path);
        Self {
            client: App::new(path.clone(), Toward::Server),
            server: App::new(path.clone(), Toward::Client),
            path,
        }
    }

    /// Sets an observer. It is called whenever the connection may have changed, also by an action
    /// of another connection or by a tick.
    pub fn observe(&self, observer: impl Fn() + 'static) {
        self.path.borrow_mut().observer = Some(Rc::new(observer));
    }

    /// Returns whether tcp_proxy waits for the upstream connection. Until then Envoy does not read
    /// from the downstream connection.
    pub fn is_connecting(&self) -> bool {
        self.ask(Hop::is_connecting)
    }

    /// Reports the upstream connection, after its TLS handshake.
    pub fn upstream_connected(&self, tls: Option<Tls>) {
        self.change(|hop| hop.upstream_connected(tls));
    }

    /// Reports that the upstream connection failed: response flag UF, and the downstream connection
    /// is closed.
    pub fn upstream_failed(&self) {
        self.change(Hop::upstream_failed);
    }

    /// Reports the end of the downstream TLS handshake.
    pub fn downstream_secured(&self, tls: Tls) {
        self.change(|hop| hop.downstream_secured(tls));
    }

    /// Returns whether the upstream connection exists, so that Envoy reads from the downstream one.
    pub fn is_connected(&self) -> bool {
        self.ask(Hop::is_connected)
    }

    /// Reports that a write to the client failed: the proxy closes the connection.
    pub fn client_write_failed(&self) {
        self.change(|hop| hop.write_failed(Toward::Client));
    }

    /// Reports that a write to the server failed: the proxy closes the connection.
    pub fn server_write_failed(&self) {
        self.change(|hop| hop.write_failed(Toward::Server));
    }

    /// Returns whether the proxy has the connection open.
    pub fn is_open(&self) -> bool {
        self.ask(Hop::is_open)
    }

    /// Returns the ALPN protocols to offer upstream: those that a filter set, otherwise the
    /// cluster's.
    pub fn offered_alpn(&self) -> Vec<String> {
        self.ask(Hop::offered_alpn)
    }

    /// Returns a filter state object of the downstream connection.
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        self.ask(|hop| hop.filter_state(key))
    }

    /// Returns the numbers of bytes from the client and from the server that a filter holds back.
    pub fn held_up(&self) -> (usize, usize) {
        self.ask(Hop::held_up)
    }

    fn ask<T: Default>(&self, read: impl FnOnce(&Hop) -> T) -> T {
        self.path.borrow().ask_first(read)
    }

    fn change(&self, change: impl FnOnce(&mut Hop)) {
        self.path.borrow_mut().change_first(change);
        pump(&self.path);
    }
}
