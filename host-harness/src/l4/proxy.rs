//! The proxy of a hop, as far as its connections need it.

use std::time::Duration;

use super::filter::Count;
use crate::host::Deferred;
use crate::profile::Profile;
use crate::stream_info::Upstream;

/// The proxy that a hop belongs to.
pub(crate) trait Proxy {
    /// A number that is unique among the proxies of the process.
    fn identity(&self) -> usize;

    /// The upstream of the cluster with this name.
    fn route(&self, cluster: &str) -> Option<Upstream>;

    /// The connections to a cluster, and their highest number.
    fn connections_to(&self, cluster: &str) -> Option<(Count, u32)>;

    /// The version of Envoy.
    fn profile(&self) -> Profile;

    /// The time on the clock.
    fn now(&self) -> Duration;

    /// Wakes a connection at this time. `None` cancels that. A connection has one
    /// such time.
    fn wake_at(&self, connection: u64, earlier: Option<Duration>, at: Option<Duration>);

    /// Takes an action for a stream other than the one of the callback that requested it.
    fn defer(&self, action: Deferred);

    /// Whether an owner of a queue is to be notified.
    fn has_notifications(&self) -> bool;

    /// Delivers notifications of queues, as Envoy does before the event loop's next iteration.
    fn notify_queues(&self);

    /// Performs the actions that were taken, and delivers notifications of queues.
    fn run_deferred(&self);
}
