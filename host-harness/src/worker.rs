//! One worker thread of the emulated Envoy: a VM with its contexts and timers.

use crate::abi::{BufferType, PeerType};
use crate::host::{Deferred, Host, Plugin, Process, Sandbox, Stream};
use crate::module::{Code, LoadError, Module};
use crate::native::NativeVm;
use crate::vm::{Callback, Vm, WasmVm};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

/// What came of a callback.
#[derive(Debug, Default)]
pub(crate) struct Called {
    /// What the filter returned; `None` if it has no such callback, returns nothing, or failed.
    pub(crate) result: Option<u32>,
    /// What it asked for meanwhile.
    pub(crate) deferred: Vec<Deferred>,
}

/// A VM and what belongs to it.
pub(crate) struct Worker {
    vm: RefCell<Box<dyn Vm>>,
    host: Rc<RefCell<Host>>,
    root: Cell<u32>,
    failure: RefCell<Option<String>>,
}

impl Worker {
    /// Instantiates the filter; [`Self::start`] is the next step.
    pub(crate) fn new(
        module: &Module,
        process: Rc<Process>,
        sandbox: Sandbox,
    ) -> Result<Self, LoadError> {
        let (vm, host): (Box<dyn Vm>, _) = match &module.0 {
            Code::Wasm(compiled) => {
                let host = Host::new(process, Rc::default(), sandbox);
                let host = Rc::new(RefCell::new(host));
                (Box::new(WasmVm::new(compiled, host.clone())?), host)
            }
            Code::Native(filter) => {
                let host = Host::new(process, NativeVm::context_ids(), sandbox);
                let host = Rc::new(RefCell::new(host));
                (Box::new(NativeVm::new(*filter, host.clone())), host)
            }
        };
        Ok(Self {
            vm: RefCell::new(vm),
            host,
            root: Cell::new(0),
            failure: RefCell::new(None),
        })
    }

    /// Adds a root context, starts and configures it; whether the filter agreed to both. If not, new streams stay with the
    /// root there was.
    pub(crate) fn start(&self, plugin: &Rc<Plugin>) -> bool {
        let context = self.host.borrow_mut().add_root(plugin.clone());
        self.call(Callback::ContextCreate { context, parent: 0 });
        let configuration_size = length(plugin.vm_configuration.len());
        let agreed = self.agrees(Callback::VmStart {
            context,
            configuration_size,
        }) && self.configure(context, plugin);
        if agreed {
            self.root.set(context);
        } else {
            self.host.borrow_mut().remove_context(context);
        }
        agreed
    }

    fn configure(&self, context: u32, plugin: &Plugin) -> bool {
        let configuration_size = length(plugin.configuration.len());
        self.agrees(Callback::Configure {
            context,
            configuration_size,
        })
    }

    /// A callback that is not there agrees.
    fn agrees(&self, callback: Callback) -> bool {
        let called = self.call(callback);
        !self.is_failed() && called.result.is_none_or(|result| result != 0)
    }

    /// Runs one callback, unless the VM has failed.
    pub(crate) fn call(&self, callback: Callback) -> Called {
        if self.is_failed() || !self.host.borrow().allows(callback.name()) {
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
        let result = match outcome {
            Ok(outcome) => {
                if outcome.exported {
                    host.trace
                        .callback(callback.name(), callback.arguments(), outcome);
                }
                outcome.result
            }
            Err(trap) => {
                // What the filter asked for before it died is not done.
                deferred.clear();
                let mut message = trap.to_string();
                host.process.logs.error(message.clone());
                if let Some((name, status)) = host.trace.trapped() {
                    message += &format!("; before, {name} had answered {status:?}");
                }
                *self.failure.borrow_mut() = Some(message);
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

    /// The end of a stream context: done, log, delete. What a stream answers to done is ignored. The host's side of it
    /// lives on until [`Self::forget_stream`].
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

    /// The host's side of a stream context is gone too.
    pub(crate) fn forget_stream(&self, context: u32) {
        self.host.borrow_mut().remove_context(context);
    }

    /// Lets a stream context reach one of the data buffers, or not any more.
    pub(crate) fn show(&self, context: u32, which: BufferType, shown: bool) {
        self.host.borrow_mut().show(context, which, shown);
    }

    /// The root context that new streams belong to.
    pub(crate) fn root(&self) -> u32 {
        self.root.get()
    }

    /// The VM, among those of the process.
    pub(crate) fn vm(&self) -> u32 {
        self.host.borrow().vm
    }

    pub(crate) fn queue_ready(&self, context: u32, token: u32) -> Vec<Deferred> {
        self.call(Callback::QueueReady { context, token }).deferred
    }

    /// Shuts all roots but the newest down: one that answers false to done lives on until it calls `proxy_done`. Envoy:
    /// `WasmBase::startShutdown`.
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

    /// When the next tick is due.
    pub(crate) fn next_tick(&self) -> Option<Duration> {
        self.host.borrow().timers.next().map(|(due, _)| due)
    }

    /// Delivers the tick that is due next.
    pub(crate) fn tick(&self, now: Duration) -> Vec<Deferred> {
        let Some((_, context)) = self.host.borrow().timers.next() else {
            return Vec::new();
        };
        let called = self.call(Callback::Tick { context });
        self.host.borrow_mut().timers.rearm(context, now);
        called.deferred
    }

    pub(crate) fn is_failed(&self) -> bool {
        self.failure.borrow().is_some()
    }

    pub(crate) fn failure(&self) -> Option<String> {
        self.failure.borrow().clone()
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

pub(crate) fn length(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
