//! The listener of a proxy.

use std::rc::Rc;

use super::hop::Hop;
use super::proxy::Proxy;
use crate::chain::ClientHello;

/// A proxy that accepts connections.
pub(crate) trait Listener: Proxy {
    /// Accepts a connection of the previous proxy; `None` if no filter chain matches.
    fn accept(self: Rc<Self>, hello: &ClientHello) -> Option<Hop>;

    /// The facts of a client application that connects to this proxy.
    fn client(&self) -> ClientHello;

    /// Whether the listener waits for the client's first bytes before it chooses a filter chain.
    fn needs_first_bytes(&self) -> bool;
}
