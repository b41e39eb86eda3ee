//! The applications at the two ends of a path.

use std::cell::RefCell;
use std::rc::Rc;

use super::app_state::AppState;
use super::path::{Path, pump};
use super::segment::{Segment, Toward};

/// An application at one end of a [`Connection`](super::Connection). Its actions take effect
/// immediately.
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

    /// Sends bytes and ends its half of the connection, in one event.
    pub fn write_and_end(&self, bytes: impl AsRef<[u8]>) {
        self.send(bytes.as_ref(), true);
    }

    /// Ends its half of the connection (`shutdown(SHUT_WR)`). It can still receive.
    pub fn end(&self) {
        self.send(&[], true);
    }

    /// Closes its socket: its half ends, and it answers later data with a reset.
    pub fn close(&self) {
        self.with(|app| app.closed = true);
        self.inject(Segment::Close);
    }

    /// Resets the connection (RST): bytes in transit are lost.
    pub fn reset(&self) {
        self.with(|app| app.closed = true);
        self.inject(Segment::Reset);
    }

    /// Returns the bytes received since the last `read`.
    pub fn read(&self) -> Vec<u8> {
        self.with(|app| {
            let new = app.received.get(app.read_to..).unwrap_or_default().to_vec();
            app.read_to = app.received.len();
            new
        })
    }

    /// Returns the bytes received since the last `read` and drops all received bytes, for
    /// long-lived connections.
    pub fn take(&self) -> Vec<u8> {
        self.with(|app| {
            let new = app.received.split_off(app.read_to.min(app.received.len()));
            app.received.clear();
            app.read_to = 0;
            new
        })
    }

    /// Returns the number of bytes received since the last `read`.
    pub fn unread(&self) -> usize {
        self.with(|app| app.received.len().saturating_sub(app.read_to))
    }

    /// Returns all received bytes.
    pub fn received(&self) -> Vec<u8> {
        self.with(|app| app.received.clone())
    }

    /// Returns whether the other side's half has ended.
    pub fn saw_end(&self) -> bool {
        self.with(|app| app.saw_end)
    }

    /// Returns whether the connection is closed for this application.
    pub fn saw_close(&self) -> bool {
        self.with(|app| app.saw_close)
    }

    /// Returns whether the connection was reset.
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
