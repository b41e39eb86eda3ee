//! Reading from the sockets, and the limit of the read buffers.

use super::Hop;
use crate::abi::PeerType;
use crate::l4::segment::{Ending, Toward};

impl Hop {
    /// Sets the limit of the read buffers of both connections; 0 for none.
    pub(crate) fn buffer_limit(mut self, bytes: usize) -> Self {
        self.from_client.limit = bytes;
        self.from_server.limit = bytes;
        self
    }

    /// Reads from the client as long as reading is enabled. Before the TLS handshake it can only see
    /// that the client has left.
    pub(super) fn read_client(&mut self) {
        while self.may_read() {
            if !self.is_secured() {
                if self.from_client.is_ended() {
                    self.close_downstream(PeerType::Remote, Ending::End);
                }
                return;
            }
            let buffered = self.stream.borrow().downstream.len();
            let Some(event) = self.from_client.next(self.downstream, buffered) else {
                return;
            };
            if event.reset {
                return self.close_downstream(PeerType::Remote, self.after_reset(Toward::Server));
            }
            self.stream.borrow_mut().downstream.append(&event.bytes);
            let end = self.downstream.read_end || event.end;
            self.on_downstream(end);
        }
    }

    /// Reads from the server as long as reading is enabled.
    pub(super) fn read_server(&mut self) {
        loop {
            let buffered = self.stream.borrow().upstream.len();
            let Some(event) = self.from_server.next(self.upstream, buffered) else {
                return;
            };
            if event.reset {
                return self.on_upstream_closed(self.after_reset(Toward::Client));
            }
            self.stream.borrow_mut().upstream.append(&event.bytes);
            self.on_upstream(self.upstream.read_end || event.end);
        }
    }
}
