//! One worker thread of the emulated Envoy: a VM with its contexts and timers.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use crate::abi::{BufferType, Callback, PeerType, length};
use crate::config::Plugin;
use crate::failure::{FailureKind, FilterFailure};
use crate::host::{Deferred, Host, Process, Sandbox, Stream};
use crate::module::{Code, LoadError, Module};
use crate::vm::{NativeVm, Vm, WasmVm};

/// The result of a callback.
#[derive(Debug, Default)]
pub(crate) struct Called {
    /// The return value; `None` if the filter does not export the callback, the callback returns
    /// nothing, or the filter failed.
    pub(crate) result: Option<u32>,
    /// The actions that the filter requested.
    pub(crate) deferred: Vec<Deferred>,
}

/// A VM with its host and its current root context.
pub(crate) struct Worker {
    vm: RefCell<Box<dyn Vm>>,
    host: Rc<RefCell<Host>>,
    root: Cell<u32>,
    dead: Cell<bool>,
    failures: RefCell<Vec<FilterFailure>>,
}

impl Worker {
    /// Instantiates the filter. [`Self::start`] has to follow.
    pub(crate) fn new(
        module: &Module,
        process: Rc<Process>,
        sandbox: Sandbox,
    ) -> Result<Self, LoadError> {
        let (vm, host): (Box<dyn Vm>, _) = match &module.0 {
            Code::Wasm(compiled) => {
                let host = Host::new(process.clone(), Rc::default(), sandbox);
                let host = Rc::new(RefCell::new(host));
                let vm = WasmVm::new(compiled, host.clone());
                let vm = vm.map_err(|error| error.with_log(&process.logs.texts()))?;
                (Box::new(vm), host)
            }
            Code::Native(exports) => {
                let host = Host::new(process, NativeVm::context_ids(), sandbox);
                let host = Rc::new(RefCell::new(host));
                (Box::new(NativeVm::new(*exports, host.clone())), host)
            }
        };
        Ok(Self {
            vm: RefCell::new(vm),
            host,
            root: Cell::new(0),
            dead: Cell::new(false),
            failures: RefCell::default(),
        })
    }

    /// Adds a root context, starts and configures it. Returns whether the filter accepted both; if
    /// not, new streams keep the previous root.
    pub(crate) fn start(&self, plugin: &Rc<Plugin>) -> bool {
        let context = self.host.borrow_mut().add_root(plugin.clone());
        self.call(Callback::ContextCreate { context, parent: 0 });
        let configuration_size = length(plugin.vm_configuration.len());
        let accepted = self.accepts(Callback::VmStart {
            context,
            configuration_size,
        }) && self.configure(context, plugin);
        if accepted {
            self.root.set(context);
        } else {
            self.host.borrow_mut().remove_context(context);
        }
        accepted
    }

    fn configure(&self, context: u32, plugin: &Plugin) -> bool {
        let configuration_size = length(plugin.configuration.len());
        self.accepts(Callback::Configure {
            context,
            configuration_size,
        })
    }

    /// Whether a callback returns true; a missing callback accepts.
    fn accepts(&self, callback: Callback) -> bool {
        let called = self.call(callback);
        !self.is_dead() && called.result.is_none_or(|result| result != 0)
    }

    /// Runs one callback, unless the VM has failed.
    pub(crate) fn call(&self, callback: Callback) -> Called {
        if self.is_dead() || !self.host.borrow().sandbox.allows(callback.name()) {
            return Called::default();
        }
        let configuring = matches!(callback, Callback::Configure { .. });
        self.host
            .borrow_mut()
            .enter(callback.context(), configuring);
        let outcome = self.vm.borrow_mut().call(&callback);
        let mut host = self.host.borrow_mut();
        let mut deferred = host.leave();
        let finished: Vec<_> = deferred
            .extract_if(.., |action| matches!(action, Deferred::Done(_)))
            .collect();
        for what in std::mem::take(&mut host.unsupported) {
            let failure = FilterFailure::new(FailureKind::Unsupported, callback.name(), what);
            self.fail(failure, &host);
        }
        let result = match outcome {
            Ok(outcome) => {
                if outcome.exported {
                    host.trace
                        .callback(callback.name(), callback.arguments(), outcome);
                }
                outcome.result
            }
            Err(trap) => {
                // Envoy drops the actions of a callback that traps.
                deferred.clear();
                let line = trap.log_line();
                let refused = host.trace.trapped(
                    callback.name(),
                    callback.arguments(),
                    &trap.reason,
                    trap.fuel,
                );
                let mut failure = trap.into_failure();
                if let Some((name, status)) = refused {
                    failure.reason += &format!("; before, {name} had answered {status:?}");
                }
                self.dead.set(true);
                self.fail(failure, &host);
                host.process.logs.error(line);
                None
            }
        };
        drop(host);
        for action in finished {
            if let Deferred::Done(root) = action {
                self.delete_root(root);
            }
        }
        Called { result, deferred }
    }

    pub(crate) fn open_stream(&self, root: u32, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        self.host.borrow_mut().add_stream(root, stream)
    }

    /// Ends a stream context: close, done, log, delete. The return value of done is ignored. The
    /// host's context remains until [`Self::remove_stream`].
    pub(crate) fn end_stream(&self, context: u32, peer: PeerType) -> Vec<Deferred> {
        let end = [
            Callback::DownstreamClose {
                context,
                peer: peer as u32,
            },
            Callback::Done { context },
            Callback::Log { context },
            Callback::Delete { context },
        ];
        end.into_iter()
            .flat_map(|callback| self.call(callback).deferred)
            .collect()
    }

    /// Removes the host's context of a stream.
    pub(crate) fn remove_stream(&self, context: u32) {
        self.host.borrow_mut().remove_context(context);
    }

    /// Makes one of the data buffers accessible to a stream context, or inaccessible.
    pub(crate) fn set_accessible(&self, context: u32, buffer: BufferType, accessible: bool) {
        self.host
            .borrow_mut()
            .set_accessible(context, buffer, accessible);
    }

    /// The root context of new streams.
    pub(crate) fn root(&self) -> u32 {
        self.root.get()
    }

    /// The number of the VM in its process.
    pub(crate) fn vm(&self) -> u32 {
        self.host.borrow().vm
    }

    pub(crate) fn queue_ready(&self, context: u32, token: u32) -> Vec<Deferred> {
        self.call(Callback::QueueReady { context, token }).deferred
    }

    /// Shuts all roots but the newest down. A root that returns false from `proxy_on_done` remains
    /// until it calls `proxy_done`. Envoy: `WasmBase::startShutdown`.
    pub(crate) fn retire_old_roots(&self) {
        let old = self.host.borrow().roots_before(self.root.get());
        for context in old {
            let done = self
                .call(Callback::Done { context })
                .result
                .is_none_or(|done| done != 0);
            if done {
                self.delete_root(context);
            } else {
                self.host.borrow_mut().pending_done.push(context);
            }
        }
    }

    fn delete_root(&self, context: u32) {
        self.call(Callback::Delete { context });
        self.host.borrow_mut().remove_context(context);
    }

    /// The time of the next tick.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.host.borrow().timers.next().map(|(due, _)| due)
    }

    /// Delivers the next tick and returns the requested actions.
    pub(crate) fn tick(&self, now: Duration) -> Vec<Deferred> {
        let Some((_, context)) = self.host.borrow().timers.next() else {
            return Vec::new();
        };
        let called = self.call(Callback::Tick { context });
        self.host.borrow_mut().timers.rearm(context, now);
        called.deferred
    }

    /// Records a failure. A call that the emulator does not support is recorded once.
    fn fail(&self, failure: FilterFailure, host: &Host) {
        let mut failures = self.failures.borrow_mut();
        let is_known = |known: &FilterFailure| {
            known.kind == FailureKind::Unsupported && known.reason == failure.reason
        };
        if !failures.iter().any(is_known) {
            failures.push(failure.log(&host.process.logs.texts()));
        }
    }

    /// Whether the VM has trapped. No callback is called any more.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.get()
    }

    pub(crate) fn failures(&self) -> Vec<FilterFailure> {
        self.failures.borrow().clone()
    }

    pub(crate) fn memory_size(&self) -> usize {
        self.vm.borrow_mut().memory_size()
    }

    pub(crate) fn host(&self) -> std::cell::Ref<'_, Host> {
        self.host.borrow()
    }

    pub(crate) fn host_mut(&self) -> std::cell::RefMut<'_, Host> {
        self.host.borrow_mut()
    }
}
