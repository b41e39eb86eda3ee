//! The restrictions and the environment of a VM.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::FaultInjection;

/// The restrictions and the environment of a VM.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// The allowed callbacks and host functions; `None` allows all.
    pub(crate) capabilities: Option<BTreeSet<String>>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) faults: FaultInjection,
}

impl Sandbox {
    /// Whether a callback or host function is allowed, by its name in the ABI.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let capabilities = &self.capabilities;
        capabilities
            .as_ref()
            .is_none_or(|allowed| allowed.contains(name))
    }

    /// The environment variables in C's form: `NAME=value` and a NUL.
    pub(crate) fn environment(&self) -> impl Iterator<Item = Vec<u8>> {
        let variables = self.environment.iter();
        variables.map(|(name, value)| format!("{name}={value}\0").into_bytes())
    }
}
