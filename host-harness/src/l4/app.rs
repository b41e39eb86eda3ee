//! The applications at the two ends of a path.

use super::connection::{Path, pump};
use super::segment::{Segment, Toward};
use std::cell::RefCell;
use std::rc::Rc;

/// What an application has received and done.
#[derive(Debug, Default)]
pub(crate) struct AppState {
    received: Vec<u8>,
    read_to: usize,
    saw_end: bool,
    saw_close: bool,
    saw_reset: bool,
    /// It has closed its socket: what still arrives is answered with a reset.
    closed: bool,
}

impl AppState {
    /// Takes an event in; whether the application answers it with a reset.
    pub(crate) fn receive(&mut self, segment: Segment) -> bool {
        match segment {
            Segment::Data { bytes, .. } if self.closed => return !bytes.is_empty(),
            Segment::Data { bytes, end } => {
                self.received.extend(bytes);
                self.saw_end |= end;
            }
            Segment::Close => {
                self.saw_end = true;
                self.saw_close = true;
            }
            Segment::Reset => {
                self.saw_close = true;
                self.saw_reset = true;
            }
        }
        false
    }
}

/// An application at one end of a [`Connection`](super::Connection): what it does takes effect at once.
#[derive(Clone)]
pub struct App {
    path: Rc<RefCell<Path>>,
    toward: Toward,
}

impl App {
    pub(super) fn new(path: Rc<RefCell<Path>>, toward: Toward) -> Self {
        Self { path, toward }
    }

    /// Sends bytes.
    pub fn write(&self, bytes: impl AsRef<[u8]>) {
        self.send(bytes.as_ref(), false);
    }

    /// Sends bytes and ends its half of the connection with them, in one event.
    pub fn write_and_end(&self, bytes: impl AsRef<[u8]>) {
        self.send(bytes.as_ref(), true);
    }

    /// Ends its half of the connection (`shutdown(SHUT_WR)`); it can still receive.
    pub fn end(&self) {
        self.send(&[], true);
    }

    /// Closes its socket: its half ends, and what still arrives is answered with a reset.
    pub fn close(&self) {
        self.with(|app| app.closed = true);
        self.inject(Segment::Close);
    }

    /// Resets the connection (RST): the proxy sees it at once, bytes under way are lost.
    pub fn reset(&self) {
        self.with(|app| app.closed = true);
        self.inject(Segment::Reset);
    }

    /// What has arrived since the last `read`.
    pub fn read(&self) -> Vec<u8> {
        self.with(|app| {
            let new = app.received.get(app.read_to..).unwrap_or_default().to_vec();
            app.read_to = app.received.len();
            new
        })
    }

    /// What has arrived since the last `read`, and forgets all that was received: for connections that live long.
    pub fn take(&self) -> Vec<u8> {
        self.with(|app| {
            let new = app.received.split_off(app.read_to.min(app.received.len()));
            app.received.clear();
            app.read_to = 0;
            new
        })
    }

    /// How many bytes have arrived since the last `read`.
    pub fn unread(&self) -> usize {
        self.with(|app| app.received.len().saturating_sub(app.read_to))
    }

    /// Everything that has arrived.
    pub fn received(&self) -> Vec<u8> {
        self.with(|app| app.received.clone())
    }

    /// The other side's half has ended.
    pub fn saw_end(&self) -> bool {
        self.with(|app| app.saw_end)
    }

    /// The connection is closed as this application sees it.
    pub fn saw_close(&self) -> bool {
        self.with(|app| app.saw_close)
    }

    /// The connection was reset.
    pub fn saw_reset(&self) -> bool {
        self.with(|app| app.saw_reset)
    }

    fn send(&self, bytes: &[u8], end: bool) {
        let chunks = self.path.borrow().chunks.clone();
        let pieces = chunks.cut(bytes);
        let last = pieces.len().saturating_sub(1);
        for (index, piece) in pieces.into_iter().enumerate() {
            self.inject(Segment::Data {
                bytes: piece.to_vec(),
                end: end && index == last,
            });
        }
    }

    fn inject(&self, segment: Segment) {
        self.path.borrow_mut().inject(self.toward, segment);
        pump(&self.path);
    }

    fn with<T>(&self, act: impl FnOnce(&mut AppState) -> T) -> T {
        act(self.path.borrow_mut().app(self.toward))
    }
}
