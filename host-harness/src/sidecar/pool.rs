//! The VMs of one plugin, one on each worker thread, and their failure policy.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

use super::error::StartError;
use super::spec::FilterSpec;
use crate::config::{FailurePolicy, Plugin};
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
            trap: worker.failure(),
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
        if !loaded.worker.is_failed() {
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
        let loaded = self.load().ok()?;
        let worker = loaded.worker.clone();
        *self.workers.borrow_mut().get_mut(turn)? = loaded;
        Some(worker)
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
        let workers = self.workers();
        for worker in workers.iter().filter(|worker| !worker.is_failed()) {
            if !worker.start(&plugin) {
                return Err(self.refusal(worker));
            }
        }
        *self.plugin.borrow_mut() = plugin;
        // A VM that has failed is replaced.
        for (turn, _) in workers
            .iter()
            .enumerate()
            .filter(|(_, worker)| worker.is_failed())
        {
            let loaded = self.load()?;
            if let Some(slot) = self.workers.borrow_mut().get_mut(turn) {
                *slot = loaded;
            }
        }
        Ok(())
    }
}
