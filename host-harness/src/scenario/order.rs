//! The orders in which proxies can see the bytes that both applications write at once.

use super::at_once::{AtOnce, Order};
use super::interleaving::Interleaving;
use super::model::{Scenario, SidecarSpec, Step};
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
