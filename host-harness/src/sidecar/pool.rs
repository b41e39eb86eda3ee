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
            let loaded = pool.load()?;
            pool.workers.borrow_mut().push(loaded);
        }
        Ok(pool)
    }

    fn load(&self) -> Result<Loaded, StartError> {
        let worker = Worker::new(&self.module, self.process.clone(), self.sandbox.clone())?;
        if !worker.start(&self.plugin.borrow()) {
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
                self.reload(turn)
                    .map_or(Admission::Refused, Admission::Filtered)
            }
        }
    }

    fn reload(&self, turn: usize) -> Option<Rc<Worker>> {
        let loaded = match self.load() {
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
        let mut workers = self.workers.borrow_mut();
        let replaced = std::mem::replace(workers.get_mut(turn)?, loaded);
        let failures = replaced.worker.failures();
        self.past_failures.borrow_mut().extend(failures);
        Some(worker)
    }

    /// The failures of all VMs of the plugin.
    pub(super) fn failures(&self) -> Vec<FilterFailure> {
        let mut failures = self.past_failures.borrow().clone();
        let workers = self.workers.borrow();
        failures.extend(workers.iter().flat_map(|loaded| loaded.worker.failures()));
        failures
    }

    /// Updates the listener: each VM gets a new root with this configuration, for new connections.
    ///
    /// # Errors
    /// The filter rejects the configuration.
    pub(super) fn update(&self, configuration: Vec<u8>) -> Result<(), StartError> {
        let plugin = Plugin {
            configuration,
            ..Plugin::clone(&self.plugin.borrow())
        };
        let plugin = Rc::new(plugin);
        for worker in self.workers() {
            if !worker.start(&plugin) {
                return Err(self.refusal(&worker));
            }
        }
        *self.plugin.borrow_mut() = plugin;
        Ok(())
    }
}
