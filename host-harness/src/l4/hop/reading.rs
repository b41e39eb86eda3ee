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

    /// Reads what the last read events have left. Returns whether they have left anything.
    pub(in crate::l4) fn read_rest(&mut self) -> bool {
        let of_client = self.from_client.take_rest();
        let of_server = self.from_server.take_rest();
        self.read_client();
        self.read_server();
        of_client || of_server
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
            let event = self
                .from_client
                .next(self.downstream, &self.stream.borrow().downstream);
            let Some(event) = event else {
                return;
            };
            if event.reset {
                return self.close_downstream(PeerType::Remote, self.after_reset(Toward::Server));
            }
            let buffered = {
                let buffer = &mut self.stream.borrow_mut().downstream;
                buffer.append(&event.bytes, event.room);
                buffer.len()
            };
            self.from_client.measure(buffered);
            let end = self.downstream.read_end || event.end;
            self.on_downstream(end);
        }
    }

    /// Reads from the server as long as reading is enabled.
    pub(super) fn read_server(&mut self) {
        loop {
            let event = self
                .from_server
                .next(self.upstream, &self.stream.borrow().upstream);
            let Some(event) = event else {
                return;
            };
            if event.reset {
                return self.on_upstream_closed(self.after_reset(Toward::Client));
            }
            let buffered = {
                let buffer = &mut self.stream.borrow_mut().upstream;
                buffer.append(&event.bytes, event.room);
                buffer.len()
            };
            self.from_server.measure(buffered);
            self.on_upstream(self.upstream.read_end || event.end);
        }
    }
}
