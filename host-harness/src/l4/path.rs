//! A path of hops between two applications.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::app_state::AppState;
use super::chances::{Chance, Chances};
use super::chunks::Chunks;
use super::hop::Hop;
use super::listener::Listener;
use super::segment::{Segment, Toward};
use super::transit::{Event, lose_unsent, send};

/// How many of the bytes between the first two hops are kept per direction: more than the longest
/// frame of an exchange.
const KEPT: usize = 128 * 1024;

/// The hops of a connection, and the events in transit between them.
pub(crate) struct Path {
    pub(super) chunks: Chunks,
    /// What happens between the proxies.
    pub(super) chances: Chances,
    /// Called after every change.
    pub(super) observer: Option<Rc<dyn Fn()>>,
    /// The proxies of the path.
    pub(super) proxies: Vec<Rc<dyn Listener>>,
    /// The connection in the proxies that have accepted it.
    hops: Vec<Hop>,
    /// The number of hops whose TLS handshake is complete.
    secured: usize,
    /// The connection at the listener of the next proxy, if that has no filter chain for it.
    listener: AtListener,
    /// The bytes at a listener that has not seen enough of them.
    first_bytes: Vec<u8>,
    /// The bytes that the server sends as soon as the last hop has connected.
    greeting: Vec<u8>,
    /// What the applications send stays in transit.
    is_held: bool,
    client: AppState,
    server: AppState,
    in_transit: VecDeque<Event>,
    /// The ends that arrive after all that is in transit.
    late: VecDeque<Event>,
    /// The first bytes from the first hop to the second, and back.
    between: [Vec<u8>; 2],
}

/// The failure of a TLS handshake with a listener without a matching filter chain. Measured with
/// Envoy 1.40.
const HANDSHAKE_RESET: &str =
    "TLS_error:|33554536:system library:OPENSSL_internal:Connection reset by peer:TLS_error_end";

/// The failure of a TLS handshake whose peer closes the connection. Measured with Envoy 1.40; it may
/// also be [`HANDSHAKE_RESET`].
const HANDSHAKE_CLOSED: &str =
    "TLS_error:|33554464:system library:OPENSSL_internal:Broken pipe:TLS_error_end";

/// The number of bytes with which a listener can tell that they are no ClientHello: the header of a
/// TLS record. Measured with Envoy 1.40.
const RECORD_HEADER: usize = 5;

/// A link of a path with one or two proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Link {
    /// From the client application to the first proxy.
    FromClient,
    /// From the server application to the last proxy.
    FromServer,
    /// From the first proxy to the last one.
    Onward,
    /// From the last proxy to the first one.
    Back,
}

/// A connection that has no filter chain yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AtListener {
    None,
    /// The listener waits for the first bytes.
    Inspected,
    /// The listener has closed the connection.
    Closed,
}

impl Path {
    /// The path from the first proxy through further ones. `accepted`: the connection in the first
    /// proxy; `None` if that has no filter chain for it.
    pub(crate) fn new(
        accepted: Option<Hop>,
        first: Rc<dyn Listener>,
        further: Vec<Rc<dyn Listener>>,
    ) -> Rc<RefCell<Self>> {
        Rc::new(RefCell::new(Self {
            chunks: Chunks::default(),
            chances: Chances::default(),
            observer: None,
            proxies: std::iter::once(first).chain(further).collect(),
            secured: 0,
            listener: AtListener::None,
            first_bytes: Vec::new(),
            hops: accepted.into_iter().collect(),
            greeting: Vec::new(),
            is_held: false,
            client: AppState::default(),
            server: AppState::default(),
            in_transit: VecDeque::new(),
            late: VecDeque::new(),
            between: Default::default(),
        }))
    }

    pub(super) fn hops(&self) -> &[Hop] {
        &self.hops
    }

    /// Whether the last proxy has connected to the server application.
    pub(super) fn reached_server(&self) -> bool {
        let is_whole = self.hops.len() == self.proxies.len();
        is_whole && self.hops.last().is_some_and(Hop::was_connected)
    }

    /// Opens the hops, as far as they connect immediately.
    pub(super) fn open(&mut self, greeting: Vec<u8>) {
        self.greeting = greeting;
        let first = self.proxies.first();
        let waits = first.is_some_and(|first| first.needs_first_bytes() && !first.client().is_tls);
        match (self.hops.is_empty(), waits) {
            (true, true) => self.listener = AtListener::Inspected,
            (true, false) => self.close_at_listener(Segment::Close),
            (false, _) => self.change_first(Hop::open),
        }
        self.reach();
        self.collect();
    }

    /// Opens the first hop, whose handshake its owner reports.
    pub(super) fn open_first(&mut self) {
        self.secured = 1;
        self.change_first(Hop::open);
    }

    /// Connects the proxies whose tcp_proxy waits for an upstream connection. A greeting reaches the last hop before its
    /// handshake is complete, as the greeting of a fast server does on loopback.
    fn reach(&mut self) {
        loop {
            while self.reach_next() {}
            if !self.secure_next() {
                return;
            }
        }
    }

    /// Completes the next TLS handshake, if its server reads.
    fn secure_next(&mut self) -> bool {
        let (earlier, later) = self.hops.split_at_mut(self.secured);
        let Some(hop) = later.first_mut().filter(|hop| hop.may_shake_hands()) else {
            return false;
        };
        if let Some(client) = earlier.last_mut().filter(|client| client.is_reaching()) {
            client.reached();
        }
        hop.finish_handshake();
        self.secured += 1;
        true
    }

    /// Connects the last hop, if its tcp_proxy waits for that.
    fn reach_next(&mut self) -> bool {
        let next = self.proxies.get(self.hops.len()).cloned();
        let Some(last) = self.hops.last_mut().filter(|hop| hop.is_reaching()) else {
            return false;
        };
        let Some(next) = next else {
            last.reached();
            self.greet();
            return true;
        };
        let hello = last.hello();
        if next.needs_first_bytes() && !hello.is_tls {
            last.reached();
            self.listener = AtListener::Inspected;
            return false;
        }
        match next.accept(&hello) {
            Some(mut hop) => {
                hop.open();
                match (hello.is_tls, hop.is_open()) {
                    (false, _) => last.reached(),
                    // The handshake follows.
                    (true, true) => {}
                    (true, false) => last.handshake_failed(HANDSHAKE_CLOSED),
                }
                self.hops.push(hop);
            }
            None if hello.is_tls => last.handshake_failed(HANDSHAKE_RESET),
            None => {
                last.reached();
                self.close_at_listener(Segment::Close);
            }
        }
        true
    }

    /// The first bytes are at a listener that waits for them. Returns what the hop behind it
    /// receives, if there is a filter chain for the connection.
    fn inspect(&mut self, segment: Segment) -> Option<Segment> {
        let next = self.proxies.get(self.hops.len()).cloned()?;
        if self.listener == AtListener::None && segment == Segment::Close {
            return self.accept_ended(next).then_some(segment);
        }
        let (bytes, end) = match segment {
            Segment::Data { bytes, end } => (bytes, end),
            Segment::Close | Segment::Reset => (Vec::new(), true),
        };
        if self.listener != AtListener::Inspected {
            if !bytes.is_empty() {
                self.close_at_listener(Segment::Reset);
            }
            return None;
        }
        self.first_bytes.extend(bytes);
        if self.first_bytes.len() < RECORD_HEADER {
            if end {
                // A socket that is closed with bytes unread resets the connection.
                let ending = match self.first_bytes.is_empty() {
                    true => Segment::Close,
                    false => Segment::Reset,
                };
                self.close_at_listener(ending);
            }
            return None;
        }
        let hello = self.hops.last().map_or_else(|| next.client(), Hop::hello);
        // An end that is there with the first bytes comes first. Envoy: `ListenerFilterBufferImpl`.
        let is_ended = end && self.chances.happens(Chance::EndFirst);
        let accepted = (!is_ended).then(|| next.accept(&hello)).flatten();
        let Some(mut hop) = accepted else {
            // The bytes are unread when the listener closes the socket.
            self.close_at_listener(Segment::Reset);
            return None;
        };
        // They are in the kernel when the filters get the connection.
        hop.arrive(&std::mem::take(&mut self.first_bytes), end);
        hop.open();
        self.hops.push(hop);
        self.listener = AtListener::None;
        self.reach();
        let (bytes, end) = (Vec::new(), false);
        Some(Segment::Data { bytes, end })
    }

    /// The last hop has closed its upstream connection while it connected: the kernel has connected to
    /// the next proxy before. That one accepts it, if it needs no bytes for that.
    fn accept_ended(&mut self, next: Rc<dyn Listener>) -> bool {
        let hello = self.hops.last().map_or_else(|| next.client(), Hop::hello);
        if hello.is_tls || next.needs_first_bytes() {
            return false;
        }
        let Some(mut hop) = next.accept(&hello) else {
            return false;
        };
        hop.open();
        self.hops.push(hop);
        self.reach();
        true
    }

    /// The listener behind the last hop closes the connection.
    fn close_at_listener(&mut self, ending: Segment) {
        self.listener = AtListener::Closed;
        let node = self.hops.len();
        self.in_transit.push_back((node, Toward::Client, ending));
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
            Toward::Client => self.proxies.len(),
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
        self.reach();
        self.collect();
        if self.in_transit.is_empty() {
            self.in_transit.extend(self.late.pop_front());
        }
        let Some(event) = self.in_transit.pop_front() else {
            return self.read_rest();
        };
        self.handle(event);
        true
    }

    /// Lets the hops read what their last read events have left.
    fn read_rest(&mut self) -> bool {
        let mut has_read = false;
        for hop in &mut self.hops {
            has_read |= hop.read_rest();
        }
        self.collect();
        has_read
    }

    /// Handles the next event on a link. Returns false if there is none.
    fn step_on(&mut self, link: Link) -> bool {
        let last = self.proxies.len();
        let (node, toward) = match link {
            Link::FromClient => (1, Toward::Server),
            Link::FromServer => (last, Toward::Client),
            Link::Onward => (last, Toward::Server),
            Link::Back => (1, Toward::Client),
        };
        let mut events = self.in_transit.iter();
        let at = events.position(|(to, direction, _)| *to == node && *direction == toward);
        let Some(event) = at.and_then(|at| self.in_transit.remove(at)) else {
            return false;
        };
        self.handle(event);
        self.reach();
        self.collect();
        true
    }

    fn handle(&mut self, (node, toward, segment): Event) {
        let last = self.proxies.len() + 1;
        if node == 0 {
            if self.client.receive(segment) {
                self.inject(Toward::Server, Segment::Reset);
            }
        } else if node == last {
            if self.server.receive(segment) {
                self.inject(Toward::Client, Segment::Reset);
            }
        } else {
            let is_accepted = node <= self.hops.len();
            let received = match (is_accepted, toward) {
                (true, _) => Some(segment),
                (false, Toward::Server) => self.inspect(segment),
                (false, Toward::Client) => None,
            };
            if let (Some(received), Some(hop)) = (received, self.hops.get_mut(node - 1)) {
                if toward == Toward::Client
                    && hop.has_unseen_reset()
                    && self.chances.happens(Chance::SeeReset)
                {
                    hop.see_reset();
                }
                match toward == Toward::Client && hop.is_reaching() {
                    true => hop.handshake_failed(HANDSHAKE_CLOSED),
                    false => hop.receive(toward, received),
                }
            }
        }
        self.collect();
    }

    /// Takes the events that the hops have sent.
    fn collect(&mut self) {
        let several = self.hops.len() > 1;
        let proxies = 1..=self.proxies.len();
        let [onward, back] = &mut self.between;
        for (index, hop) in self.hops.iter_mut().enumerate() {
            let node = |toward| match toward {
                Toward::Client => index,
                Toward::Server => index + 2,
            };
            let mut sent = hop.take_sent();
            lose_unsent(&mut sent, &self.chances);
            for (toward, segment) in &sent {
                let kept = match (index, toward) {
                    (0, Toward::Server) if several => Some(&mut *onward),
                    (1, Toward::Client) => Some(&mut *back),
                    _ => None,
                };
                if let (Some(kept), Segment::Data { bytes, .. }) = (kept, segment) {
                    kept.extend(bytes.iter().take(KEPT.saturating_sub(kept.len())));
                }
            }
            for (toward, segment) in sent {
                let event = (node(toward), toward, segment);
                match proxies.contains(&event.0) {
                    true => send(&mut self.in_transit, &mut self.late, &self.chances, event),
                    false => self.in_transit.push_back(event),
                }
            }
        }
    }
}

/// Delivers what is next on a link of a held path: of an application everything, of a proxy one
/// event.
pub(super) fn deliver(path: &Rc<RefCell<Path>>, link: Link) {
    let proxies = path.borrow().proxies.clone();
    loop {
        let is_delivered = path.borrow_mut().step_on(link);
        run_deferred(path, &proxies);
        if !is_delivered || matches!(link, Link::Onward | Link::Back) {
            return;
        }
    }
}

/// Performs what filters requested for other streams, and notifies the owners of queues, perhaps not
/// before the next event.
fn run_deferred(path: &Rc<RefCell<Path>>, proxies: &[Rc<dyn Listener>]) {
    let (chances, has_more) = {
        let path = path.borrow();
        let has_more = path.is_held || !path.in_transit.is_empty();
        (path.chances.clone(), has_more)
    };
    for proxy in proxies {
        let may_be_late = has_more && proxy.has_notifications();
        if !may_be_late || !chances.happens(Chance::NotifyLate) {
            proxy.run_deferred();
        }
    }
}

/// Delivers all events in transit, and performs the actions that filters requested for other
/// streams.
pub(crate) fn pump(path: &Rc<RefCell<Path>>) {
    let proxies = path.borrow().proxies.clone();
    // A new connection has no events yet, but its filters may have requested actions.
    run_deferred(path, &proxies);
    let mut more = true;
    while more {
        more = path.borrow_mut().step();
        run_deferred(path, &proxies);
    }
    let observer = path.borrow().observer.clone();
    if let Some(observer) = observer {
        observer();
    }
}
