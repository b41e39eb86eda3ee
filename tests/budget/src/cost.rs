//! The costs of callbacks.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::ops::AddAssign;

use host_harness::Event;
use serde::Deserialize;

/// The sum of the costs of some calls of one callback.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Cost {
    /// The number of calls.
    pub calls: u64,
    /// wasmtime's fuel: approximately the number of WebAssembly instructions.
    pub fuel: u64,
    /// Calls of host functions.
    pub hostcalls: u64,
    /// Allocations in the guest, including those for the host.
    pub allocations: u64,
}

/// The costs of a situation, by callback.
pub type Costs = BTreeMap<String, Cost>;

/// Sums the costs of a trace by callback.
pub(crate) fn costs(trace: &[Event]) -> Costs {
    let mut costs = Costs::new();
    let mut within = 0;
    for event in trace {
        match event {
            // In the trace, a host call precedes the callback that makes it.
            Event::Hostcall { .. } => within += 1,
            Event::Callback {
                name,
                fuel,
                allocations,
                ..
            } => {
                let name = name.strip_prefix("proxy_on_").unwrap_or(name);
                *costs.entry(name.to_owned()).or_default() += Cost {
                    calls: 1,
                    fuel: *fuel,
                    hostcalls: std::mem::take(&mut within),
                    allocations: *allocations,
                };
            }
        }
    }
    costs
}

/// The sum over all callbacks.
pub fn total(costs: &Costs) -> Cost {
    let mut total = Cost::default();
    costs.values().for_each(|cost| total += *cost);
    total
}

impl AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.calls += other.calls;
        self.fuel += other.fuel;
        self.hostcalls += other.hostcalls;
        self.allocations += other.allocations;
    }
}

impl Display for Cost {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            fuel,
            hostcalls,
            allocations,
        } = self;
        write!(
            f,
            "calls: {calls}, fuel: {fuel}, hostcalls: {hostcalls}, allocations: {allocations}"
        )
    }
}
