//! The state of an application's socket.

use super::segment::Segment;

/// The state of an application's socket.
#[derive(Debug, Default)]
pub(crate) struct AppState {
    pub(super) received: Vec<u8>,
    /// The number of received bytes that the test has read.
    pub(super) read_to: usize,
    pub(super) saw_end: bool,
    pub(super) saw_close: bool,
    pub(super) saw_reset: bool,
    /// The application has closed its socket: it answers later data with a reset.
    pub(super) closed: bool,
}

impl AppState {
    /// Receives an event. Returns whether the application answers it with a reset.
    pub(super) fn receive(&mut self, segment: Segment) -> bool {
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
