//! The host side of one VM: the state that host functions read and write.

mod buffer;
mod context;
mod deferred;
mod expressions;
mod metrics;
mod process;
mod random;
mod sandbox;
mod shared_data;
mod stream;
mod timers;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use std::time::Duration;

pub(crate) use buffer::Buffer;
pub(crate) use deferred::{Deferred, FilterContext};
pub(crate) use expressions::Expression;
pub(crate) use process::Process;
pub(crate) use sandbox::Sandbox;
pub(crate) use shared_data::{QueueOwner, SharedData, SharedKey};
pub(crate) use stream::Stream;

use crate::abi::{BufferType, HostResult, LogLevel, Status};
use crate::attributes::Scope;
use crate::config::Plugin;
use crate::log::LogLine;
use crate::property::Prototype;
use crate::trace::Trace;
use context::Context;
use expressions::Expressions;
use metrics::Metrics;
use random::Random;
use timers::Timers;

/// The state behind the host functions of one VM.
#[derive(Debug)]
pub(crate) struct Host {
    /// The number of the VM in its process.
    pub(crate) vm: u32,
    pub(crate) process: Rc<Process>,
    pub(crate) sandbox: Sandbox,
    pub(crate) trace: Trace,
    pub(crate) timers: Timers,
    pub(crate) random: Random,
    pub(crate) metrics: Metrics,
    pub(crate) expressions: Expressions,
    /// Declarations by `declare_property`: by context and name.
    pub(crate) declared: BTreeMap<(u32, String), Prototype>,
    /// Roots that returned false from `proxy_on_done`.
    pub(crate) pending_done: Vec<u32>,
    /// Actions that Envoy performs after the callback has returned.
    pub(crate) deferred: Vec<Deferred>,
    /// Fault injection: bytes that replace the result of the running host call.
    pub(crate) replacement: Option<Vec<u8>>,
    /// Calls of the running callback that Envoy supports and the emulator does not.
    pub(crate) unsupported: Vec<String>,
    contexts: HashMap<u32, Context>,
    /// Shared by all hosts whose filters are in one native VM.
    last_context_id: Rc<Cell<u32>>,
    current: u32,
    effective: Option<u32>,
    /// `proxy_on_configure` is running: only then the plugin configuration is readable.
    configuring: bool,
}

impl Host {
    pub(crate) fn new(
        process: Rc<Process>,
        last_context_id: Rc<Cell<u32>>,
        sandbox: Sandbox,
    ) -> Self {
        let vm = process.shared.borrow_mut().register_vm();
        Self {
            vm,
            metrics: Metrics::new(process.clone()),
            process,
            sandbox,
            trace: Trace::default(),
            timers: Timers::default(),
            random: Random::default(),
            expressions: Expressions::default(),
            declared: BTreeMap::new(),
            pending_done: Vec::new(),
            deferred: Vec::new(),
            replacement: None,
            unsupported: Vec::new(),
            contexts: HashMap::new(),
            last_context_id,
            current: 0,
            effective: None,
            configuring: false,
        }
    }

    /// Adds a root context and returns its id.
    pub(crate) fn add_root(&mut self, plugin: Rc<Plugin>) -> u32 {
        let id = self.next_id();
        self.contexts.insert(id, Context::root(id, plugin));
        id
    }

    /// Adds a stream context and returns its id; `None` if the root does not exist any more.
    pub(crate) fn add_stream(&mut self, root: u32, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        let plugin = self.contexts.get(&root)?.plugin.clone();
        let id = self.next_id();
        self.contexts
            .insert(id, Context::stream(root, plugin, stream));
        Some(id)
    }

    /// Makes one of the data buffers accessible to a stream context, or inaccessible.
    pub(crate) fn set_accessible(&mut self, context: u32, buffer: BufferType, accessible: bool) {
        if let Some(context) = self.contexts.get_mut(&context) {
            context.access.set(buffer, accessible);
        }
    }

    pub(crate) fn remove_context(&mut self, id: u32) {
        self.contexts.remove(&id);
        self.declared.retain(|(context, _), _| *context != id);
        self.timers.cancel(id);
    }

    /// Root contexts that are older than this one and are not shutting down yet.
    pub(crate) fn roots_before(&self, newest: u32) -> Vec<u32> {
        let mut roots = BTreeSet::new();
        for (id, context) in &self.contexts {
            if context.root == *id && *id != newest && !self.pending_done.contains(id) {
                roots.insert(*id);
            }
        }
        roots.into_iter().collect()
    }

    /// The number of contexts, roots included.
    pub(crate) fn context_count(&self) -> usize {
        self.contexts.len()
    }

    fn next_id(&self) -> u32 {
        let id = self.last_context_id.get() + 1;
        self.last_context_id.set(id);
        id
    }

    /// Begins a callback. An effective context of an earlier callback ends here.
    pub(crate) fn enter(&mut self, context: u32, configuring: bool) {
        self.current = context;
        self.effective = None;
        self.configuring = configuring;
    }

    /// Ends a callback and returns the actions that it deferred.
    pub(crate) fn leave(&mut self) -> Vec<Deferred> {
        self.configuring = false;
        std::mem::take(&mut self.deferred)
    }

    /// The context that host functions act for: the effective one while it exists.
    pub(crate) fn context_id(&self) -> u32 {
        self.effective
            .filter(|id| self.contexts.contains_key(id))
            .unwrap_or(self.current)
    }

    pub(crate) fn context(&self) -> HostResult<&Context> {
        self.contexts
            .get(&self.context_id())
            .ok_or(Status::InternalFailure)
    }

    /// The context of the running callback, whatever the effective one is.
    pub(crate) fn running_context(&self) -> HostResult<&Context> {
        self.contexts
            .get(&self.current)
            .ok_or(Status::InternalFailure)
    }

    /// The stream of the context, unless it is a root context.
    pub(crate) fn stream(&self) -> Option<Rc<RefCell<Stream>>> {
        self.context().ok()?.stream.clone()
    }

    /// Sets the effective context; 0 resets it.
    ///
    /// # Errors
    /// `BadArgument` for an id that does not exist.
    pub(crate) fn set_effective_context(&mut self, id: u32) -> HostResult {
        self.effective = match id {
            0 => None,
            id if self.contexts.contains_key(&id) => Some(id),
            _ => return Err(Status::BadArgument),
        };
        Ok(())
    }

    /// Runs a lookup of attributes and properties for a context.
    pub(crate) fn look_up<T>(&self, context: &Context, look: impl FnOnce(&Scope<'_>) -> T) -> T {
        let stream = context.stream.as_ref().map(|stream| stream.borrow());
        look(&Scope {
            profile: self.process.profile,
            node: &self.process.node,
            plugin: &context.plugin,
            stream: stream.as_ref().map(|stream| &stream.info),
            sizes: stream.as_ref().map_or((0, 0), |stream| {
                (
                    stream.downstream.total_read(),
                    stream.upstream.total_written(),
                )
            }),
        })
    }

    /// Reads a buffer of the context.
    ///
    /// # Errors
    /// `NotFound` for the plugin configuration outside of `proxy_on_configure` and for the response
    /// of a gRPC call.
    pub(crate) fn read_buffer<T>(
        &self,
        buffer: BufferType,
        read: impl FnOnce(&[u8]) -> T,
    ) -> HostResult<T> {
        let context = self.context()?;
        match buffer {
            BufferType::DownstreamData | BufferType::UpstreamData => {
                Ok(context.read_data(buffer, read))
            }
            BufferType::VmConfiguration => Ok(read(&context.plugin.vm_configuration)),
            BufferType::PluginConfiguration if self.configuring => {
                Ok(read(&context.plugin.configuration))
            }
            BufferType::Empty => Ok(read(&[])),
            BufferType::PluginConfiguration | BufferType::GrpcReceived => Err(Status::NotFound),
        }
    }

    /// Sets the tick period of the context's root: a root has one timer, and its streams share it.
    pub(crate) fn set_tick_period(&mut self, period: Duration) -> HostResult {
        let root = self.context()?.root;
        let now = self.process.clock.now();
        self.timers.set(root, period, now);
        Ok(())
    }

    /// Records a call that Envoy supports and the emulator does not: the scenario is no test then.
    pub(crate) fn lacks(&mut self, what: impl Into<String>) {
        let what = what.into();
        // A filter may repeat a call without end.
        if !self.unsupported.contains(&what) {
            self.unsupported.push(what);
        }
    }

    /// Logs a line of the filter.
    pub(crate) fn log(&self, level: LogLevel, message: String) {
        let plugin = self.context().map(|context| context.plugin.name.clone());
        self.process.logs.push(LogLine {
            level,
            plugin: plugin.unwrap_or_default(),
            context: self.context_id(),
            message,
        });
    }
}
