//! The configuration of the filters of the chain.

use super::SidecarBuilder;
use crate::config::FailurePolicy;
use crate::fault::Fault;
use crate::module::Module;
use crate::sidecar::spec::{ElementSpec, FilterSpec};

impl SidecarBuilder {
    /// Appends a filter to the chain, with VMs of its own. Later calls that set plugin, VM, failure
    /// policy, capabilities or faults apply to this filter.
    ///
    /// Filters read in this order and write in the reverse order. They share the connection's
    /// buffers, stream info and filter state: a property that one filter sets is readable by the
    /// others.
    #[must_use]
    pub fn filter(self, module: &Module) -> Self {
        self.last_chain(|chain| chain.elements.push(ElementSpec::new(module.clone())))
    }

    /// Sets the plugin's configuration, which `proxy_on_configure` reads. Empty by default.
    #[must_use]
    pub fn plugin_config(self, configuration: impl AsRef<[u8]>) -> Self {
        self.last(|filter| filter.plugin.configuration = configuration.as_ref().to_vec())
    }

    /// Sets the VM's configuration, which `proxy_on_vm_start` reads. Empty by default.
    #[must_use]
    pub fn vm_config(self, configuration: impl AsRef<[u8]>) -> Self {
        self.last(|filter| filter.plugin.vm_configuration = configuration.as_ref().to_vec())
    }

    /// Sets the plugin's `name`, `root_id` and `vm_config.vm_id`. Empty by default.
    #[must_use]
    pub fn plugin(
        self,
        name: impl Into<String>,
        root_id: impl Into<String>,
        vm_id: impl Into<String>,
    ) -> Self {
        self.last(|filter| {
            filter.plugin.name = name.into();
            filter.plugin.root_id = root_id.into();
            filter.plugin.vm_id = vm_id.into();
        })
    }

    /// Adds an environment variable of the VM (`vm_config.environment_variables`). None by default.
    #[must_use]
    pub fn environment(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.last(|filter| {
            let environment = &mut filter.sandbox.environment;
            environment.insert(name.into(), value.into());
        })
    }

    /// Sets the treatment of connections after the VM has failed.
    #[must_use]
    pub fn failure_policy(self, policy: FailurePolicy) -> Self {
        self.last(|filter| filter.policy = policy)
    }

    /// Restricts the filter to these callbacks and host functions, by their names in the ABI
    /// (`capability_restriction_config.allowed_capabilities`).
    #[must_use]
    pub fn allow_capabilities<S: Into<String>>(self, names: impl IntoIterator<Item = S>) -> Self {
        let names = names.into_iter().map(Into::into).collect();
        self.last(|filter| filter.sandbox.capabilities = Some(names))
    }

    /// Injects a fault into host calls of the filter. None by default.
    ///
    /// ```
    /// # use host_harness::{Answer, Calls, Fault, SidecarBuilder};
    /// fn with_failing_call(sidecar: SidecarBuilder) -> SidecarBuilder {
    ///     sidecar.fault(Fault { calls: Calls::Nth(12), answer: Answer::Status(10) })
    /// }
    /// ```
    #[must_use]
    pub fn fault(self, fault: Fault) -> Self {
        self.last(|filter| filter.fault = Some(fault))
    }

    /// Changes the wasm filter that was added last to the chain.
    fn last(self, change: impl FnOnce(&mut FilterSpec)) -> Self {
        self.last_chain(|chain| {
            let filters = chain.elements.iter_mut().rev();
            let mut wasm = filters.filter_map(|element| match element {
                ElementSpec::Wasm(filter) => Some(filter),
                ElementSpec::Own(_) => None,
            });
            if let Some(filter) = wasm.next() {
                change(filter);
            }
        })
    }
}
