//! The proxy of a hop, as far as its connections need it.

use crate::host::Deferred;

/// The proxy that a [`Hop`](super::Hop) belongs to.
pub(crate) trait Proxy {
    /// A number that is unique among the proxies of the process.
    fn identity(&self) -> usize;

    /// Takes an action for a stream other than the one of the callback that requested it.
    fn defer(&self, action: Deferred);

    /// Performs the actions that were taken, and delivers notifications of queues.
    fn run_deferred(&self);
}
