//! The filter chains of a listener.

use std::cell::RefCell;
use std::rc::Rc;

use super::error::StartError;
use super::pool::Pool;
use super::spec::{ChainSpec, ElementSpec};
use crate::chain::{ChainMatch, EnvoyFilter};
use crate::config::Direction;
use crate::fault::FaultInjection;
use crate::host::Process;
use crate::l4::{Admission, Count, Generation, Updates};

/// A filter chain.
pub(super) struct FilterChain {
    pub(super) name: String,
    pub(super) matching: ChainMatch,
    /// The cluster of its tcp_proxy, if it is not the listener's.
    pub(super) cluster: Option<String>,
    elements: Vec<Element>,
    updates: Updates,
}

/// A filter of a chain.
enum Element {
    Wasm(Box<Pool>),
    Own(EnvoyFilter, RefCell<Count>),
}

impl FilterChain {
    /// Starts the VMs and configures the filters.
    pub(super) fn start(
        spec: ChainSpec,
        process: &Rc<Process>,
        direction: Direction,
        workers: usize,
    ) -> Result<Self, StartError> {
        let mut elements = Vec::new();
        for element in spec.elements {
            elements.push(match element {
                ElementSpec::Own(filter) => Element::Own(filter, RefCell::default()),
                ElementSpec::Wasm(mut filter) => {
                    filter.plugin.direction = direction;
                    filter.sandbox.faults = FaultInjection::new(filter.fault.take());
                    Element::Wasm(Box::new(Pool::start(*filter, process.clone(), workers)?))
                }
            });
        }
        Ok(Self {
            name: spec.name,
            matching: spec.matching,
            cluster: spec.cluster,
            elements,
            updates: Updates::default(),
        })
    }

    /// The plugins, in the order of the chain.
    pub(super) fn pools(&self) -> impl Iterator<Item = &Pool> {
        self.elements.iter().filter_map(|element| match element {
            Element::Wasm(pool) => Some(&**pool),
            Element::Own(..) => None,
        })
    }

    /// Gives one plugin, by its position among those of the chain, another configuration. All filters
    /// of the chain are created anew: Envoy's own ones lose their counts, and VMs that have failed are
    /// replaced.
    pub(super) fn update(&self, plugin: usize, configuration: &[u8]) -> Result<(), StartError> {
        // A rejected configuration leaves everything as it was.
        if let Some(pool) = self.pools().nth(plugin) {
            pool.update(configuration.to_vec())?;
        }
        for element in &self.elements {
            match element {
                Element::Wasm(pool) => pool.replace_failed()?,
                Element::Own(_, count) => drop(count.take()),
            }
        }
        self.updates.add();
        Ok(())
    }

    /// The chain after its last update.
    pub(super) fn generation(&self) -> Generation {
        self.updates.current()
    }

    /// Decides about each filter of a new connection. Workers get connections in turn.
    pub(super) fn admit(&self, turn: usize) -> Vec<Admission> {
        let admit = |element: &Element| match element {
            Element::Wasm(pool) => pool.admit(turn),
            Element::Own(filter, count) => Admission::Own(filter.clone(), count.borrow().clone()),
        };
        self.elements.iter().map(admit).collect()
    }
}
