//! A path from client to server through one or two proxies.

use super::app::{App, AppState};
use super::chunks::Chunks;
use super::hop::Hop;
use super::segment::{Segment, Toward};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// A connection of a client application to a server application, through the proxies between them.
#[derive(Clone)]
pub struct Connection {
    /// The application that opened the connection.
    pub client: App,
    /// The application that the last proxy connects to.
    pub server: App,
    path: Rc<RefCell<Path>>,
}

impl Connection {
    /// Opens the path hop by hop: each proxy is accepted from before it connects onwards.
    pub(crate) fn open(hops: Vec<Hop>, greeting: Vec<u8>) -> Self {
        let path = Rc::new(RefCell::new(Path::new(hops)));
        for hop in &path.borrow().hops {
            hop.register(&path);
        }
        path.borrow_mut().open(greeting);
        pump(&path);
        Self {
            client: App::new(path.clone(), Toward::Server),
            server: App::new(path.clone(), Toward::Client),
            path,
        }
    }

    /// Cuts what the applications write from now on.
    pub fn chunks(&self, chunks: Chunks) {
        self.path.borrow_mut().chunks = chunks;
    }

    /// The ALPN protocols that the first proxy offers upstream: set by the filter through
    /// `envoy.network.application_protocols`, else the cluster's own.
    pub fn offered_alpn(&self) -> Vec<String> {
        self.path
            .borrow()
            .hops
            .first()
            .map(Hop::offered_alpn)
            .unwrap_or_default()
    }

    /// A filter state object of the first proxy's downstream connection.
    pub fn filter_state(&self, key: &str) -> Option<Vec<u8>> {
        self.path.borrow().hops.first()?.filter_state(key)
    }

    /// The last proxy has connected to the server application, which may have ended since.
    pub fn reached_server(&self) -> bool {
        self.path
            .borrow()
            .hops
            .last()
            .is_some_and(Hop::has_connected)
    }

    /// Every proxy still has its downstream connection open.
    pub fn is_open(&self) -> bool {
        self.path.borrow().hops.iter().all(Hop::is_open)
    }
}

/// The hops of a connection and the events under way between them.
pub(crate) struct Path {
    pub(super) chunks: Chunks,
    /// Called after every change.
    pub(super) observer: Option<Rc<dyn Fn()>>,
    hops: Vec<Hop>,
    client: AppState,
    server: AppState,
    /// Events by the node that receives them: 0 is the client, then the hops, last the server.
    under_way: VecDeque<(usize, Toward, Segment)>,
}

impl Path {
    pub(super) fn new(hops: Vec<Hop>) -> Self {
        Self {
            chunks: Chunks::default(),
            observer: None,
            hops,
            client: AppState::default(),
            server: AppState::default(),
            under_way: VecDeque::new(),
        }
    }

    /// A greeting reaches the last hop before any handshake is finished, as a fast server's does on loopback.
    fn open(&mut self, greeting: Vec<u8>) {
        let mut opened = 0;
        for hop in &mut self.hops {
            hop.open();
            opened += 1;
            if !hop.is_connected() {
                break;
            }
        }
        if opened == self.hops.len() && !greeting.is_empty() {
            self.inject(
                Toward::Client,
                Segment::Data {
                    bytes: greeting,
                    end: false,
                },
            );
            self.step();
        }
        for hop in &mut self.hops {
            hop.finish_handshake();
        }
        self.collect();
    }

    /// An event from the application whose bytes go this way.
    pub(super) fn inject(&mut self, toward: Toward, segment: Segment) {
        let node = match toward {
            Toward::Server => 1,
            Toward::Client => self.hops.len(),
        };
        self.under_way.push_back((node, toward, segment));
    }

    /// The application that sends this way.
    pub(super) fn app(&mut self, toward: Toward) -> &mut AppState {
        match toward {
            Toward::Server => &mut self.client,
            Toward::Client => &mut self.server,
        }
    }

    /// Asks the first hop.
    pub(super) fn hop_ref<T: Default>(&self, question: impl FnOnce(&Hop) -> T) -> T {
        self.hops.first().map(question).unwrap_or_default()
    }

    /// Tells the first hop.
    pub(super) fn first(&mut self, happened: impl FnOnce(&mut Hop)) {
        self.hops.first_mut().map(happened);
        self.collect();
    }

    /// Closes what an old root of this sidecar still serves.
    pub(crate) fn close_drained(&mut self, sidecar: usize) {
        self.hops
            .iter_mut()
            .filter(|hop| hop.is_of(sidecar))
            .for_each(Hop::close_drained);
    }

    /// The hop of a connection id.
    pub(crate) fn hop(&mut self, sidecar: usize, id: u64) -> Option<&mut Hop> {
        self.hops.iter_mut().find(|hop| hop.is(sidecar, id))
    }

    /// Delivers the next event; false when there is none.
    fn step(&mut self) -> bool {
        self.collect();
        let Some((node, toward, segment)) = self.under_way.pop_front() else {
            return false;
        };
        let last = self.hops.len() + 1;
        if node == 0 {
            if self.client.receive(segment) {
                self.inject(Toward::Server, Segment::Reset);
            }
        } else if node == last {
            if self.server.receive(segment) {
                self.inject(Toward::Client, Segment::Reset);
            }
        } else if let Some(hop) = self.hops.get_mut(node - 1) {
            hop.receive(toward, segment);
        }
        self.collect();
        true
    }

    fn collect(&mut self) {
        for (index, hop) in self.hops.iter_mut().enumerate() {
            for (toward, segment) in hop.take_sent() {
                let node = match toward {
                    Toward::Client => index,
                    Toward::Server => index + 2,
                };
                self.under_way.push_back((node, toward, segment));
            }
        }
    }
}

/// Delivers everything that is under way, and what filters asked for outside of their own stream.
pub(crate) fn pump(path: &Rc<RefCell<Path>>) {
    let sidecars: Vec<_> = path.borrow().hops.iter().map(Hop::sidecar).collect();
    let mut more = true;
    while more {
        more = path.borrow_mut().step();
        for sidecar in &sidecars {
            sidecar.run_deferred();
        }
    }
    let observer = path.borrow().observer.clone();
    if let Some(observer) = observer {
        observer();
    }
}
