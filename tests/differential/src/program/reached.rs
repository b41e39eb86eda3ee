//! The features that a run has reached.

use std::collections::{BTreeMap, BTreeSet};

use host_harness::scenario::{
    Act, Chain, ChainFilter, Policy, Scenario, Side, SidecarSpec, Step, WasmFilter,
};

use super::emulator::{Run, SIDES};
use super::generate::Program;
use super::observation::refused;

/// The features of the program, without those that show no sign in this run.
pub(super) fn reached(program: &Program, scenario: &Scenario, run: &Run) -> BTreeSet<&'static str> {
    let seen = Seen::new(scenario, run);
    let features = program.features.iter().copied();
    features.filter(|feature| seen.has(feature)).collect()
}

/// A run and what it shows.
struct Seen<'a> {
    scenario: &'a Scenario,
    /// The steps that had an effect.
    steps: Vec<&'a Step>,
    /// The lines after the last step.
    lines: &'a [String],
    /// The filter chains that a connection has reached, with their sidecar.
    chains: Vec<(&'a SidecarSpec, Chain)>,
    /// Bytes of an application have reached the other one.
    has_passed: bool,
}

impl<'a> Seen<'a> {
    fn new(scenario: &'a Scenario, run: &'a Run) -> Self {
        let observations = run.observations.iter().flatten();
        let has_bytes = |line: &String| line.contains(" has \"") && !line.contains(" has \"\"");
        let steps = scenario.steps.iter().zip(&run.effects);
        let mut seen = Self {
            scenario,
            steps: steps
                .filter_map(|(step, has)| has.then_some(step))
                .collect(),
            lines: observations.clone().last().map_or(&[], Vec::as_slice),
            chains: Vec::new(),
            has_passed: observations.flatten().any(has_bytes),
        };
        for (_, side) in SIDES {
            let Some(sidecar) = scenario.sidecar(side) else {
                continue;
            };
            let chains = sidecar.listener_chains();
            let is_only = chains.len() == 1;
            let is_reached = |chain: &Chain| {
                (is_only && seen.has_passed) || wasm(chain).any(|filter| seen.is_reached(filter))
            };
            let chains: Vec<_> = chains.into_iter().filter(is_reached).collect();
            seen.chains
                .extend(chains.into_iter().map(|chain| (sidecar, chain)));
        }
        seen
    }

    fn has(&self, feature: &str) -> bool {
        match feature {
            "pause-and-continue" => self.has_line("   continue downstream = 0"),
            "close-by-a-filter" => self.has_line("   close "),
            "shared-data" => self.has_line("_shared "),
            "queues" => self.has_line("queue"),
            "ticks" => self.has_line(" tick("),
            "fail-open" => self.has_failed(Policy::FailOpen),
            "fail-closed" => self.has_failed(Policy::FailClosed),
            "reload" => self.has_failed(Policy::FailReload),
            "two-sidecars"
            | "tls"
            | "several-sans"
            | "tls-without-client-certificate"
            | "sni"
            | "alpn" => self.has_both(),
            "several-filters" => self.has_chain(|chain| {
                let mut later = chain.filters.iter().skip(1);
                chain.filters.len() > 1 && (self.has_passed || later.any(|one| self.is_probe(one)))
            }),
            "rbac" => self.has_own(|filter| matches!(filter, ChainFilter::Rbac(_))),
            "sni_cluster" => self.has_own(|filter| matches!(filter, ChainFilter::SniCluster {})),
            "connection_limit" => {
                self.has_own(|filter| matches!(filter, ChainFilter::ConnectionLimit { .. }))
            }
            "set_filter_state" => self.has_own(|filter| sets(filter, "key.one")),
            "cluster-by-filter-state" => {
                self.has_own(|filter| sets(filter, "envoy.tcp_proxy.cluster"))
            }
            "another-module" => self.has_chain(|chain| {
                wasm(chain).any(|filter| filter.module.is_some() && self.is_reached(filter))
            }),
            "filter-chains" => self.has_sidecar(|sidecar| sidecar.chains.len() > 1),
            "chain-by-server-name" => self.has_chain(|chain| !chain.server_names.is_empty()),
            "chain-by-alpn" => self.has_chain(|chain| !chain.application_protocols.is_empty()),
            "chain-by-transport-protocol" => {
                self.has_chain(|chain| chain.transport_protocol.is_some())
            }
            "cluster-of-a-chain" => self.has_chain(|chain| chain.cluster.is_some()),
            "connect-mode" => self.has_sidecar(|sidecar| {
                sidecar.upstream_connect_mode != host_harness::ConnectMode::Immediate
            }),
            "half-close" => self.has_act(|act| act.end),
            "close" => self.has_act(|act| act.close),
            "reset" => self.has_act(|act| act.reset),
            "both-at-once" => self.has_step(|step| matches!(step, Step::AtOnce(_))),
            "idle-timeout" => self.has_step(|step| matches!(step, Step::Advance(_))),
            "max-connections" => self.exceeds_connections(),
            "buffer-limit" => self.has_sidecar(|sidecar| {
                let limit = sidecar.buffer_limit.unwrap_or(usize::MAX);
                self.has_act(|act| length(act) > limit)
            }),
            "update" | "drain" => {
                let updates = self.scenario.steps.iter();
                let updates = updates.filter(|step| matches!(step, Step::Update(_)));
                !self.lines.contains(&refused(updates.count()))
            }
            // A connection is open at the client's side, whatever becomes of it.
            _ => true,
        }
    }

    fn has_line(&self, part: &str) -> bool {
        self.lines.iter().any(|line| line.contains(part))
    }

    fn has_step(&self, is_wanted: impl Fn(&Step) -> bool) -> bool {
        self.steps.iter().any(|step| is_wanted(step))
    }

    fn has_act(&self, is_wanted: impl Fn(&Act) -> bool) -> bool {
        self.has_step(|step| step.acts().iter().any(|(_, act)| is_wanted(act)))
    }

    fn has_chain(&self, is_wanted: impl Fn(&Chain) -> bool) -> bool {
        self.chains.iter().any(|(_, chain)| is_wanted(chain))
    }

    fn has_sidecar(&self, is_wanted: impl Fn(&SidecarSpec) -> bool) -> bool {
        self.chains.iter().any(|(sidecar, _)| is_wanted(sidecar))
    }

    /// Whether a connection has passed the first of two sidecars, so that the second one has its
    /// server name and its ALPN.
    fn has_both(&self) -> bool {
        let second = self.scenario.sidecar(Side::Inbound);
        second.is_some_and(|second| self.has_sidecar(|sidecar| std::ptr::eq(sidecar, second)))
    }

    /// Whether a connection has reached one of these filters of Envoy's own: bytes have passed it, or
    /// a wasm filter behind it has the connection.
    fn has_own(&self, is_wanted: impl Fn(&ChainFilter) -> bool) -> bool {
        self.has_chain(|chain| {
            let filters = chain.filters.iter();
            let mut from = filters.skip_while(|filter| !is_wanted(filter));
            from.next().is_some() && (self.has_passed || from.any(|filter| self.is_probe(filter)))
        })
    }

    /// Whether this is a wasm filter that a connection has reached.
    fn is_probe(&self, filter: &ChainFilter) -> bool {
        matches!(filter, ChainFilter::Wasm(filter) if self.is_reached(filter))
    }

    /// Whether a line tells of a connection: the probe has `new_connection()`, the other module the
    /// bytes.
    fn is_reached(&self, filter: &WasmFilter) -> bool {
        let mut lines = self.lines_of(filter);
        lines.any(|line| line.contains(" new_connection(") || line.contains(" downstream "))
    }

    fn lines_of(&self, filter: &WasmFilter) -> impl Iterator<Item = &str> {
        let name = format!(" {}: ", filter.name);
        let lines = self.lines.iter();
        lines.filter_map(move |line| Some(line.split_once(&name)?.1))
    }

    /// Whether a filter with this policy has come to its trap: the n-th call of a callback in a
    /// context.
    fn has_failed(&self, policy: Policy) -> bool {
        let chains = self.chains.iter().flat_map(|(_, chain)| wasm(chain));
        let mut filters = chains.filter(|filter| filter.failure_policy == policy);
        filters.any(|filter| {
            let script = filter.configuration.as_ref();
            let script = script
                .and_then(|script| script.as_str())
                .unwrap_or_default();
            let mut traps = script
                .lines()
                .filter_map(|line| line.strip_suffix(": trap"));
            traps.any(|trap| {
                let (callback, call) = trap.split_once('#').unwrap_or((trap, "1"));
                let Ok(call) = call.parse::<usize>() else {
                    return false;
                };
                let mut calls: BTreeMap<&str, usize> = BTreeMap::new();
                for line in self.lines_of(filter) {
                    if let Some((context, rest)) = line.split_once(' ')
                        && rest.starts_with(&format!("{callback}("))
                    {
                        *calls.entry(context).or_default() += 1;
                    }
                }
                calls.values().any(|count| *count >= call)
            })
        })
    }

    /// Whether more connections are open at once than a cluster may have.
    fn exceeds_connections(&self) -> bool {
        let mut open = BTreeSet::new();
        let mut most = 0;
        for step in &self.steps {
            if let Step::Connect(connect) = step {
                open.insert(&connect.connection);
            }
            most = most.max(open.len());
            for (_, act) in step.acts() {
                if act.close || act.reset {
                    open.remove(&act.connection);
                }
            }
        }
        self.has_sidecar(|sidecar| {
            let limit = sidecar.cluster.max_connections;
            limit.is_some_and(|limit| most > limit as usize)
        })
    }
}

fn wasm(chain: &Chain) -> impl Iterator<Item = &WasmFilter> {
    chain.filters.iter().filter_map(|filter| match filter {
        ChainFilter::Wasm(filter) => Some(&**filter),
        _ => None,
    })
}

/// Whether the filter sets this filter state.
fn sets(filter: &ChainFilter, key: &str) -> bool {
    matches!(filter, ChainFilter::SetFilterState(objects) if objects.contains_key(key))
}

fn length(act: &Act) -> usize {
    act.write.as_ref().map_or(0, |bytes| bytes.to_vec().len())
}
