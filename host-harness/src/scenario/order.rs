//! Actions of both applications at once, and the orders in which proxies can see their bytes.

use std::fmt;

use serde::Deserialize;

use super::model::{Act, Scenario, SidecarSpec, Step};
use super::roles::{End, Side};
use crate::config::ConnectMode;

/// Actions of which none waits for another.
#[derive(Clone, Debug, Deserialize)]
#[serde(transparent)]
pub struct AtOnce {
    acts: Vec<Acting>,
    #[serde(skip)]
    order: Order,
}

/// An application and its action.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum Acting {
    Client(Act),
    Server(Act),
}

/// The order in which the proxies of a path see what both applications do at once. All actions of
/// one application stay in their order, and without those of the other between them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Order {
    /// Each proxy sees its own application first: the bytes cross between the proxies.
    #[default]
    Crossing,
    /// All proxies see the client first.
    ClientFirst,
    /// All proxies see the server first.
    ServerFirst,
    /// The server's proxy sees the server before the TLS handshake is complete. Then the bytes
    /// cross.
    BeforeHandshake,
}

impl AtOnce {
    /// Returns the actions, those of the application that all proxies see first in front.
    pub fn acts(&self) -> impl Iterator<Item = (End, &Act)> {
        let of = |end| {
            let acts = self.acts.iter().map(Acting::parts);
            acts.filter(move |(by, _)| *by == end)
        };
        let [first, second] = match self.order {
            Order::ServerFirst => [End::Server, End::Client],
            _ => [End::Client, End::Server],
        };
        of(first).chain(of(second))
    }

    /// Returns the order.
    pub fn order(&self) -> Order {
        self.order
    }

    /// The first bytes of the server on this connection.
    fn greeting(&mut self, connection: &str) -> Option<&mut Act> {
        let server = self.acts.iter_mut().find_map(|acting| match acting {
            Acting::Server(act) => Some(act),
            Acting::Client(_) => None,
        });
        server.filter(|act| act.connection == connection && act.write.is_some() && !act.reset)
    }
}

impl Acting {
    fn parts(&self) -> (End, &Act) {
        match self {
            Self::Client(act) => (End::Client, act),
            Self::Server(act) => (End::Server, act),
        }
    }
}

impl Scenario {
    /// Returns the scenario once for each combination of the orders that real Envoys can produce in
    /// its `at_once` steps. The emulator plays each step in the order of the scenario; a real Envoy
    /// chooses one itself.
    #[must_use]
    pub fn in_each_order(&self) -> Vec<Self> {
        let mut scenarios = vec![self.clone()];
        for (at, step) in self.steps.iter().enumerate() {
            let Step::AtOnce(at_once) = step else {
                continue;
            };
            let orders = self.orders(at_once);
            scenarios = scenarios
                .iter()
                .flat_map(|scenario| orders.iter().filter_map(|order| scenario.with(at, *order)))
                .collect();
        }
        scenarios
    }

    fn orders(&self, at_once: &AtOnce) -> Vec<Order> {
        let has = |end| at_once.acts().any(|(by, _)| by == end);
        let mut orders = vec![Order::ClientFirst];
        if has(End::Client) && has(End::Server) {
            orders.push(Order::ServerFirst);
            if self.outbound.is_some() && self.inbound.is_some() {
                orders.push(Order::Crossing);
            }
        }
        let mode = |sidecar: &SidecarSpec| sidecar.upstream_connect_mode;
        let inbound = self.sidecar(Side::Inbound).map(mode);
        if self.mtls.is_some() && inbound == Some(ConnectMode::Immediate) {
            orders.push(Order::BeforeHandshake);
        }
        orders
    }

    /// The scenario with this order in the `at_once` step at `at`; `None` if it is impossible
    /// there.
    fn with(&self, at: usize, order: Order) -> Option<Self> {
        let mut scenario = self.clone();
        let before = at.checked_sub(1);
        let (earlier, later) = scenario.steps.split_at_mut_checked(at)?;
        let Some(Step::AtOnce(at_once)) = later.first_mut() else {
            return None;
        };
        at_once.order = order;
        if order == Order::BeforeHandshake {
            let Some(Step::Connect(connect)) = before.and_then(|before| earlier.get_mut(before))
            else {
                return None;
            };
            if connect.greeting.is_some() {
                return None;
            }
            connect.greeting = at_once.greeting(&connect.connection)?.write.take();
        }
        Some(scenario)
    }

    /// Describes the orders of the `at_once` steps among the first steps, for a failure.
    pub(super) fn describe_orders(&self, steps: usize) -> String {
        let orders = self.steps.iter().zip(1..).take(steps);
        orders
            .filter_map(|(step, number)| match step {
                Step::AtOnce(at_once) => Some(format!(" (step {number}: {})", at_once.order)),
                _ => None,
            })
            .collect()
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Crossing => "the bytes cross",
            Self::ClientFirst => "the client's bytes first",
            Self::ServerFirst => "the server's bytes first",
            Self::BeforeHandshake => "the server's bytes before the TLS handshake",
        })
    }
}
