//! The idle timeout of tcp_proxy.

use std::time::Duration;

use super::Hop;
use crate::abi::PeerType;
use crate::l4::segment::Ending;

impl Hop {
    /// Sets the idle timeout of tcp_proxy.
    pub(crate) fn idle_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.idle.timeout = timeout;
        self
    }

    /// Starts the timeout, or starts it anew: the upstream is connected, or bytes reach tcp_proxy; a
    /// connection whose upstream is connected later has it from the accept on.
    /// A timer runs for the first deadline only, as bytes are more frequent than timeouts.
    pub(super) fn is_active(&mut self) {
        let Some(timeout) = self.idle.timeout else {
            return;
        };
        let due = self.proxy.now().saturating_add(timeout);
        self.idle.due = Some(due);
        if self.idle.woken_at.is_none() {
            self.wake_at(Some(due));
        }
    }

    /// Stops the timeout: a connection is closed.
    pub(super) fn stop_idle_timeout(&mut self) {
        self.idle.due = None;
        if self.idle.woken_at.is_some() {
            self.wake_at(None);
        }
    }

    /// The timer has ended: closes the connection, or starts the timer for a later deadline. Envoy:
    /// `TcpProxy::Filter::onIdleTimeout`.
    pub(crate) fn wake(&mut self) {
        self.idle.woken_at = None;
        match self.idle.due {
            Some(due) if due <= self.proxy.now() => {
                self.close_downstream(PeerType::Local, Ending::End);
            }
            due => self.wake_at(due),
        }
    }

    fn wake_at(&mut self, at: Option<Duration>) {
        let connection = self.stream.borrow().info.connection_id;
        let earlier = std::mem::replace(&mut self.idle.woken_at, at);
        self.proxy.wake_at(connection, earlier, at);
    }
}
