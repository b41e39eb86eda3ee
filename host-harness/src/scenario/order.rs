//! The orders in which proxies can see the bytes that both applications write at once.

use super::at_once::{AtOnce, Order};
use super::interleaving::Interleaving;
use super::model::{Scenario, Step};
use super::roles::{End, Side};
use crate::config::ConnectMode;

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

    /// The number of orders; `None` if one of the steps has more actions than are explored.
    pub(super) fn order_count(&self) -> Option<usize> {
        let steps = self.steps.iter().filter_map(|step| match step {
            Step::AtOnce(at_once) => Some(self.orders(at_once).len()),
            _ => None,
        });
        let mut count: usize = 1;
        for orders in steps {
            count = count.saturating_mul(orders);
        }
        (count > 0).then_some(count)
    }

    /// The first step `at_once`, by its position, some of whose orders are not explored, and why.
    pub(super) fn unexplored(&self) -> Option<(usize, &'static str)> {
        let mut before = None;
        for (at, step) in self.steps.iter().enumerate() {
            if let Step::AtOnce(at_once) = step
                && let Some(why) = self.has_unexplored(before, at_once)
            {
                return Some((at, why));
            }
            before = Some(step);
        }
        None
    }

    fn has_unexplored(&self, before: Option<&Step>, at_once: &AtOnce) -> Option<&'static str> {
        let of = |wanted| {
            at_once
                .acts()
                .filter(move |(end, _)| *end == wanted)
                .count()
        };
        let (clients, servers) = (of(End::Client), of(End::Server));
        if clients > 0 && servers > 0 && at_once.counts().is_none() {
            return Some("actions of both applications on several connections");
        }
        let is_new = matches!(before, Some(Step::Connect(_)));
        let is_several = clients.max(servers) > 1 && servers > 0;
        (is_new && is_several && self.may_be_before_handshake())
            .then_some("several actions of an application while the TLS handshake may be under way")
    }

    /// Whether the server can write before the TLS handshake between the sidecars is complete.
    fn may_be_before_handshake(&self) -> bool {
        let inbound = self.sidecar(Side::Inbound);
        let mode = inbound.map(|sidecar| sidecar.upstream_connect_mode);
        self.mtls.is_some() && mode == Some(ConnectMode::Immediate)
    }

    fn orders(&self, at_once: &AtOnce) -> Vec<Order> {
        let has = |end| at_once.acts().any(|(by, _)| by == end);
        let proxies = self.outbound.iter().chain(&self.inbound).count();
        if let Some([clients, servers]) = at_once.counts()
            && clients.max(servers) > 1
            && clients.min(servers) > 0
        {
            let all = Interleaving::all(clients, servers, proxies).into_iter();
            return all.map(Order::Interleaved).collect();
        }
        let mut orders = vec![Order::ClientFirst];
        if has(End::Client) && has(End::Server) {
            orders.push(Order::ServerFirst);
            if self.outbound.is_some() && self.inbound.is_some() {
                orders.push(Order::Crossing);
            }
        }
        if self.may_be_before_handshake() {
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
