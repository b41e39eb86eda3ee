//! A path of hops between two applications.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::app_state::AppState;
use super::chunks::Chunks;
use super::hop::Hop;
use super::segment::{Segment, Toward};

/// How many of the bytes between the first two hops are kept per direction: more than the longest
/// frame of an exchange.
const KEPT: usize = 128 * 1024;

/// The hops of a connection, and the events in transit between them.
pub(crate) struct Path {
    pub(super) chunks: Chunks,
    /// Called after every change.
    pub(super) observer: Option<Rc<dyn Fn()>>,
    hops: Vec<Hop>,
    /// The number of hops that have accepted the connection.
    opened: usize,
    /// The bytes that the server sends as soon as the last hop has connected.
    greeting: Vec<u8>,
    /// What the applications send stays in transit.
    is_held: bool,
    client: AppState,
    server: AppState,
    /// Events by their receiver: 0 is the client, then the hops, last the server.
    in_transit: VecDeque<(usize, Toward, Segment)>,
    /// The first bytes from the first hop to the second, and back.
    between: [Vec<u8>; 2],
}

impl Path {
    pub(crate) fn new(hops: Vec<Hop>) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            chunks: Chunks::default(),
            observer: None,
            hops,
            opened: 0,
            greeting: Vec::new(),
            is_held: false,
            client: AppState::default(),
            server: AppState::default(),
            in_transit: VecDeque::new(),
            between: Default::default(),
        }))
    }

    pub(super) fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Opens the hops, as far as they connect immediately.
    pub(super) fn open(&mut self, greeting: Vec<u8>) {
        self.greeting = greeting;
        self.open_reached();
        self.collect();
    }

    /// Opens the first hop, whose handshake its owner reports.
    pub(super) fn open_first(&mut self) {
        self.opened = 1;
        self.change_first(Hop::open);
    }

    /// Opens each hop that the one before has connected to. A greeting reaches the last hop before
    /// its handshake is complete, as the greeting of a fast server does on loopback.
    fn open_reached(&mut self) {
        loop {
            let first = self.opened;
            while self.is_next_reached() {
                let offered = self.hops.get(self.opened.wrapping_sub(1));
                let offered = offered.map(Hop::offered_alpn).unwrap_or_default();
                if let Some(hop) = self.hops.get_mut(self.opened) {
                    hop.client_hello(&offered);
                    hop.open();
                }
                self.opened += 1;
            }
            self.greet();
            if first == self.opened {
                return;
            }
            for hop in self.hops.iter_mut().take(self.opened).skip(first) {
                hop.finish_handshake();
            }
        }
    }

    fn is_next_reached(&self) -> bool {
        let before = self.opened.checked_sub(1);
        let before = before.and_then(|index| self.hops.get(index));
        self.opened < self.hops.len() && before.is_none_or(Hop::is_connected)
    }

    fn greet(&mut self) {
        let Some(last) = self.hops.last_mut().filter(|hop| hop.is_connected()) else {
            return;
        };
        let bytes = std::mem::take(&mut self.greeting);
        if !bytes.is_empty() {
            last.receive(Toward::Client, Segment::Data { bytes, end: false });
        }
    }

    /// Keeps what the applications send in transit, or lets it go.
    pub(super) fn hold(&mut self, is_held: bool) {
        self.is_held = is_held;
    }

    /// The first bytes from the first hop to the second, and back.
    pub(super) fn between(&self) -> [Vec<u8>; 2] {
        self.between.clone()
    }

    /// Adds an event of the application that sends in this direction.
    pub(super) fn inject(&mut self, toward: Toward, segment: Segment) {
        let node = match toward {
            Toward::Server => 1,
            Toward::Client => self.hops.len(),
        };
        self.in_transit.push_back((node, toward, segment));
    }

    /// The application that sends in this direction.
    pub(super) fn app(&mut self, toward: Toward) -> &mut AppState {
        match toward {
            Toward::Server => &mut self.client,
            Toward::Client => &mut self.server,
        }
    }

    /// Reads from the first hop.
    pub(super) fn ask_first<T: Default>(&self, read: impl FnOnce(&Hop) -> T) -> T {
        self.hops.first().map(read).unwrap_or_default()
    }

    /// Changes the first hop.
    pub(super) fn change_first(&mut self, change: impl FnOnce(&mut Hop)) {
        self.hops.first_mut().map(change);
        self.collect();
    }

    /// Closes the connections of old roots of this proxy.
    pub(crate) fn close_drained(&mut self, proxy: usize) {
        self.hops
            .iter_mut()
            .filter(|hop| hop.is_of(proxy))
            .for_each(Hop::close_drained);
    }

    /// The hop of this proxy with this connection id.
    pub(crate) fn hop(&mut self, proxy: usize, connection: u64) -> Option<&mut Hop> {
        self.hops.iter_mut().find(|hop| hop.is(proxy, connection))
    }

    /// Delivers the next event. Returns false if there is none.
    fn step(&mut self) -> bool {
        if self.is_held {
            return false;
        }
        self.collect();
        self.open_reached();
        self.collect();
        let Some((node, toward, segment)) = self.in_transit.pop_front() else {
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

    /// Takes the events that the hops have sent.
    fn collect(&mut self) {
        let several = self.hops.len() > 1;
        let [onward, back] = &mut self.between;
        for (index, hop) in self.hops.iter_mut().enumerate() {
            for (toward, segment) in hop.take_sent() {
                let node = match toward {
                    Toward::Client => index,
                    Toward::Server => index + 2,
                };
                let kept = match (index, toward) {
                    (0, Toward::Server) if several => Some(&mut *onward),
                    (1, Toward::Client) => Some(&mut *back),
                    _ => None,
                };
                if let (Some(kept), Segment::Data { bytes, .. }) = (kept, &segment) {
                    kept.extend(bytes.iter().take(KEPT.saturating_sub(kept.len())));
                }
                self.in_transit.push_back((node, toward, segment));
            }
        }
    }
}

/// Delivers all events in transit, and performs the actions that filters requested for other
/// streams.
pub(crate) fn pump(path: &Rc<RefCell<Path>>) {
    let proxies: Vec<_> = path.borrow().hops.iter().map(Hop::proxy).collect();
    let mut more = true;
    while more {
        more = path.borrow_mut().step();
        for proxy in &proxies {
            proxy.run_deferred();
        }
    }
    let observer = path.borrow().observer.clone();
    if let Some(observer) = observer {
        observer();
    }
}
