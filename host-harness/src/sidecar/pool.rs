//! The VMs of one plugin, one on each worker thread, and their failure policy.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::error::StartError;
use super::spec::FilterSpec;
use crate::config::{FailurePolicy, Plugin};
use crate::failure::{FailureKind, FilterFailure};
use crate::fault::FaultInjection;
use crate::host::{Process, Sandbox};
use crate::l4::Admission;
use crate::module::Module;
use crate::worker::Worker;

/// The VMs of one plugin.
pub(super) struct Pool {
    module: Module,
    process: Rc<Process>,
    plugin: RefCell<Rc<Plugin>>,
    policy: FailurePolicy,
    sandbox: Sandbox,
    workers: RefCell<Vec<Loaded>>,
    /// The failures of VMs that others have replaced, or that did not start.
    past_failures: RefCell<Vec<FilterFailure>>,
}

#[derive(Clone)]
struct Loaded {
    worker: Rc<Worker>,
    at: Duration,
}

impl Pool {
    pub(super) fn start(
        filter: FilterSpec,
        process: Rc<Process>,
        workers: usize,
    ) -> Result<Self, StartError> {
        let pool = Self {
            module: filter.module,
            process,
            plugin: RefCell::new(Rc::new(filter.plugin)),
            policy: filter.policy,
            sandbox: filter.sandbox,
            workers: RefCell::default(),
            past_failures: RefCell::default(),
        };
        for _ in 0..workers {
            let loaded = pool.load(None)?;
            pool.workers.borrow_mut().push(loaded);
        }
        Ok(pool)
    }

    /// Starts a VM, perhaps in the place of one that has failed.
    fn load(&self, failed: Option<&Worker>) -> Result<Loaded, StartError> {
        let worker = Worker::new(&self.module, self.process.clone(), self.sandbox.clone())?;
        if let Some(failed) = failed {
            worker.host_mut().trace.follow(&mut failed.host_mut().trace);
        }
        if !worker.start(&self.plugin.borrow()) {
            if let Some(failed) = failed {
                failed.host_mut().trace.follow(&mut worker.host_mut().trace);
            }
            return Err(self.refusal(&worker));
        }
        Ok(Loaded {
            worker: Rc::new(worker),
            at: self.process.clock.now(),
        })
    }

    fn refusal(&self, worker: &Worker) -> StartError {
        StartError::Refused {
            logs: self.process.logs.all(),
            missing_properties: worker.host().trace.missing_properties.clone(),
            failure: worker.failures().pop().map(Box::new),
        }
    }

    pub(super) fn workers(&self) -> Vec<Rc<Worker>> {
        self.workers
            .borrow()
            .iter()
            .map(|loaded| loaded.worker.clone())
            .collect()
    }

    /// The fault injection of all VMs of the plugin.
    pub(super) fn faults(&self) -> &FaultInjection {
        &self.sandbox.faults
    }

    /// Decides about a new connection. Workers get connections in turn.
    pub(super) fn admit(&self, turn: usize) -> Admission {
        let turn = turn % self.workers.borrow().len().max(1);
        let Some(loaded) = self.workers.borrow().get(turn).cloned() else {
            return Admission::PassThrough;
        };
        if !loaded.worker.is_dead() {
            return Admission::Filtered(loaded.worker);
        }
        match self.policy {
            FailurePolicy::FailClosed => Admission::Refused,
            FailurePolicy::FailOpen => Admission::PassThrough,
            FailurePolicy::FailReload { backoff } => {
                if self.process.clock.now() < loaded.at + backoff {
                    return Admission::Refused;
                }
                self.reload(turn, &loaded.worker)
                    .map_or(Admission::Refused, Admission::Filtered)
            }
        }
    }

    fn reload(&self, turn: usize, failed: &Worker) -> Option<Rc<Worker>> {
        let loaded = match self.load(Some(failed)) {
            Ok(loaded) => loaded,
            Err(error) => {
                let failure = error.failure().cloned();
                let failure = failure.unwrap_or_else(|| {
                    let reason = format!("the filter cannot be loaded again: {error}");
                    FilterFailure::new(FailureKind::Host, "", reason)
                });
                self.past_failures.borrow_mut().push(failure);
                return None;
            }
        };
        let worker = loaded.worker.clone();
        self.replace(turn, loaded);
        Some(worker)
    }

    /// Replaces a VM that has failed, and keeps its failures.
    fn replace(&self, turn: usize, loaded: Loaded) {
        if let Some(slot) = self.workers.borrow_mut().get_mut(turn) {
            let replaced = std::mem::replace(slot, loaded);
            let failures = replaced.worker.failures();
            self.past_failures.borrow_mut().extend(failures);
        }
    }

    /// The failures of all VMs of the plugin.
    pub(super) fn failures(&self) -> Vec<FilterFailure> {
        let mut failures = self.past_failures.borrow().clone();
        let workers = self.workers.borrow();
        failures.extend(workers.iter().flat_map(|loaded| loaded.worker.failures()));
        failures
    }

    /// Updates the listener: each VM gets a new root with this configuration, for new connections; one
    /// that has failed is replaced.
    ///
    /// # Errors
    /// The filter rejects the configuration.
    pub(super) fn update(&self, configuration: Vec<u8>) -> Result<(), StartError> {
        let plugin = Plugin {
            configuration,
            ..Plugin::clone(&self.plugin.borrow())
        };
        let plugin = Rc::new(plugin);
        let workers = self.workers();
        for worker in workers.iter().filter(|worker| !worker.is_dead()) {
            if !worker.start(&plugin) {
                return Err(self.refusal(worker));
            }
        }
        *self.plugin.borrow_mut() = plugin;
        self.replace_failed()
    }

    /// Replaces each VM that has failed.
    ///
    /// # Errors
    /// The filter does not start.
    pub(super) fn replace_failed(&self) -> Result<(), StartError> {
        for (turn, worker) in self.workers().iter().enumerate() {
            if worker.is_dead() {
                self.replace(turn, self.load(Some(worker))?);
            }
        }
        Ok(())
    }
}
