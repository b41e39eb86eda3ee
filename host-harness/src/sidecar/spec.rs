//! The configuration of filter chains and their filters.

use crate::chain::{ChainMatch, EnvoyFilter};
use crate::config::{FailurePolicy, Plugin};
use crate::fault::Fault;
use crate::host::Sandbox;
use crate::module::Module;

/// A filter chain.
#[derive(Debug, Clone, Default)]
pub(super) struct ChainSpec {
    pub(super) name: String,
    pub(super) matching: ChainMatch,
    pub(super) cluster: Option<String>,
    pub(super) elements: Vec<ElementSpec>,
}

/// A filter of a chain.
#[derive(Debug, Clone)]
pub(super) enum ElementSpec {
    Wasm(Box<FilterSpec>),
    Own(EnvoyFilter),
}

impl ElementSpec {
    pub(super) fn new(module: Module) -> Self {
        Self::Wasm(Box::new(FilterSpec::new(module)))
    }
}

/// One wasm filter of the chain.
#[derive(Debug, Clone)]
pub(super) struct FilterSpec {
    pub(super) module: Module,
    pub(super) plugin: Plugin,
    pub(super) policy: FailurePolicy,
    pub(super) sandbox: Sandbox,
    pub(super) fault: Option<Fault>,
}

impl FilterSpec {
    pub(super) fn new(module: Module) -> Self {
        Self {
            module,
            plugin: Plugin::default(),
            policy: FailurePolicy::default(),
            sandbox: Sandbox::default(),
            fault: None,
        }
    }
}
