//! A connection between two applications through one or two proxies.

use std::cell::RefCell;
use std::rc::Rc;

use super::app::App;
use super::chances::Chances;
use super::chunks::Chunks;
use super::hop::Hop;
use super::path::{Link, Path, deliver, pump};
use super::segment::Toward;

/// A connection from a client application through the proxies to a server application.
#[derive(Clone)]
pub struct Connection {
    /// The application that opened the connection.
    pub client: App,
    /// The application that the last proxy connects to.
    pub server: App,
    path: Rc<RefCell<Path>>,
}

impl Connection {
    /// Opens the path hop by hop. The server sends the greeting as soon as the last proxy has
    /// connected.
    pub(crate) fn open(path: Rc<RefCell<Path>>, greeting: Vec<u8>) -> Self {
        path.borrow_mut().open(greeting);
        pump(&path);
        Self {
            client: App::new(path.clone(), Toward::Server),
            server: App::new(path.clone(), Toward::Client),
            path,
        }
    }

    /// Sets the division of later writes of both applications.
    pub fn chunks(&self, chunks: Chunks) {
        self.path.borrow_mut().chunks = chunks;
    }

    /// Sets what happens between two proxies.
    pub fn chances(&self, chances: Chances) {
        self.path.borrow_mut().chances = chances;
    }

    /// Lets both applications act before any byte of the one crosses bytes of the other between two
    /// proxies: each proxy sees the bytes of its own application first.
    ///
    /// ```
    /// # use host_harness::Connection;
    /// fn greet_each_other(connection: &Connection) {
    ///     connection.at_once(|client, server| {
    ///         client.write("SSH-2.0-client");
    ///         server.write("SSH-2.0-server");
    ///     });
    /// }
    /// ```
    pub fn at_once(&self, act: impl FnOnce(&App, &App)) {
        self.hold();
        act(&self.client, &self.server);
        self.release();
    }

    /// Keeps what the applications send in transit until [`Self::release`].
    pub(crate) fn hold(&self) {
        self.path.borrow_mut().hold(true);
    }

    /// Delivers what is next on a link while the applications are held.
    pub(crate) fn deliver(&self, link: Link) {
        deliver(&self.path, link);
    }

    pub(crate) fn release(&self) {
        self.path.borrow_mut().hold(false);
        pump(&self.path);
    }

    /// Returns the ALPN protocols that the first proxy offers upstream: those of filter state
    /// `envoy.network.application_protocols` if a filter set it, otherwise the cluster's.
    pub fn offered_alpn(&self) -> Vec<String> {
        self.path.borrow().ask_first(Hop::offered_alpn)
    }

    /// Returns a filter state object of the first proxy's downstream connection.
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        self.path.borrow().ask_first(|hop| hop.filter_state(key))
    }

    /// Returns the bytes that the first proxy sent to the second, and those that the second sent to
    /// the first: at most the first 128 KiB of each, without TLS. Empty if there is one proxy.
    pub fn between_proxies(&self) -> [Vec<u8>; 2] {
        self.path.borrow().between()
    }

    /// Returns whether the last proxy has connected to the server application. The connection may
    /// have ended since.
    pub fn reached_server(&self) -> bool {
        self.path.borrow().reached_server()
    }

    /// Returns whether every proxy has its downstream connection open.
    pub fn is_open(&self) -> bool {
        self.path.borrow().hops().iter().all(Hop::is_open)
    }
}
