//! The configuration of one filter of the chain.

use crate::config::{FailurePolicy, Plugin};
use crate::fault::Fault;
use crate::host::Sandbox;
use crate::module::Module;

/// One filter of the chain.
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
