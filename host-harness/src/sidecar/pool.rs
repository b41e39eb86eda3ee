//! The VMs of one plugin, one on each worker thread, and what happens when they fail.

use super::StartError;
use super::builder::FilterSpec;
use crate::host::{Plugin, Process, Sandbox};
use crate::module::Module;
use crate::worker::Worker;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;

/// What Envoy does with connections once a filter's VM has failed (`failure_policy`). The connection whose callback trapped
/// is closed under all of them; measured with Envoy 1.40.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FailurePolicy {
    /// New connections are closed. Envoy's default.
    #[default]
    FailClosed,
    /// New connections pass without the filter.
    FailOpen,
    /// The next connection starts a new VM, if the last start is at least this long ago; else it is closed.
    FailReload {
        /// `reload_config.backoff.base_interval`.
        backoff: Duration,
    },
}

/// How a new connection goes on.
pub(crate) enum Admission {
    Filtered(Rc<Worker>),
    PassThrough,
    Refused,
}

/// The plugin, loaded.
pub(crate) struct Pool {
    pub(super) module: Module,
    pub(super) process: Rc<Process>,
    pub(super) plugin: RefCell<Rc<Plugin>>,
    pub(super) policy: FailurePolicy,
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

    /// Host calls that were disturbed.
    pub(super) fn disturbed(&self) -> u64 {
        self.sandbox.faults.disturbed()
    }

    /// A property was said not to exist.
    pub(super) fn denied(&self) -> bool {
        self.sandbox.faults.denied()
    }

    /// Workers take turns.
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

    /// A listener update: in each VM a new root with this configuration, for new connections. Envoy rejects the update if
    /// the filter does.
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
