//! Call paths from the exports to each function.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

use crate::flow::{Callee, Flow, never_returns};
use crate::program::Program;
use crate::site::Step;
use crate::source::Source;

/// The best path to every function that the host can reach before a panic begins.
pub(super) struct Paths {
    arrivals: BTreeMap<u32, Arrival>,
    entries: BTreeMap<u32, String>,
}

/// The last step of the best path to a function. The order of the fields is the order of
/// preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Arrival {
    /// The number of indirect calls on the path.
    indirect: u32,
    /// The number of calls on the path.
    length: u32,
    /// `None` if the host calls the function.
    caller: Option<u32>,
}

impl Paths {
    pub(super) fn find(program: &Program<'_>, flows: &[Flow]) -> Self {
        let mut by_type: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for &index in &program.addressed {
            if let Some(function) = program.functions.get(index as usize) {
                by_type.entry(function.type_index).or_default().push(index);
            }
        }
        let host = Arrival {
            indirect: 0,
            length: 0,
            caller: None,
        };
        let starts = program.entries.keys().map(|&entry| Reverse((host, entry)));
        let mut open: BinaryHeap<_> = starts.collect();
        let mut arrivals = BTreeMap::new();
        while let Some(Reverse((arrival, function))) = open.pop() {
            if arrivals.contains_key(&function) {
                continue;
            }
            arrivals.insert(function, arrival);
            let Some(flow) = flows.get(function as usize) else {
                continue;
            };
            for call in &flow.calls {
                let (callees, indirect) = match &call.callee {
                    Callee::Function(callee) if never_returns(flows, *callee) => (&[][..], 0),
                    Callee::Function(callee) => (std::slice::from_ref(callee), 0),
                    Callee::Type(ty) => (by_type.get(ty).map_or(&[][..], Vec::as_slice), 1),
                };
                let next = Arrival {
                    indirect: arrival.indirect + indirect,
                    length: arrival.length + 1,
                    caller: Some(function),
                };
                open.extend(callees.iter().map(|&callee| Reverse((next, callee))));
            }
        }
        Self {
            arrivals,
            entries: program.entries.clone(),
        }
    }

    /// The reachable functions.
    pub(super) fn reached(&self) -> impl Iterator<Item = u32> + '_ {
        self.arrivals.keys().copied()
    }

    /// The path from an export to the function, both included.
    pub(super) fn to(&self, function: u32, source: &Source<'_>) -> Vec<Step> {
        let mut path = Vec::new();
        let mut at = Some(function);
        while let Some(function) = at {
            let arrival = self.arrivals.get(&function);
            let caller = arrival.and_then(|arrival| arrival.caller);
            let calls = |index: &u32| self.arrivals.get(index).map(|arrival| arrival.indirect);
            path.push(Step {
                function: match (caller, self.entries.get(&function)) {
                    (None, Some(export)) => export.clone(),
                    _ => source.name(function),
                },
                indirect: caller.is_some() && calls(&function) != caller.as_ref().and_then(calls),
            });
            at = caller;
        }
        path.reverse();
        path
    }
}
