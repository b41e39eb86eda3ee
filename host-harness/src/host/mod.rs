//! The host side of one VM: everything its host functions read and write.

mod buffer;
mod expression;
mod fault;
mod foreign;
mod log;
mod metrics;
mod random;
mod shared;
mod stream;
mod timers;

pub(crate) use buffer::Buffer;
pub(crate) use fault::Faults;
pub use fault::{Answer, Calls, Fault};
pub use log::LogLine;
pub(crate) use log::Logs;
pub(crate) use shared::SharedData;
use stream::Reach;
pub use stream::Tls;
pub(crate) use stream::{Stream, StreamInfo, Upstream};

use crate::abi::{BufferType, HostResult, Status, StreamType};
use crate::clock::Clock;
use crate::hostcalls::Hostcall;
use crate::property::{self, Prototype, StateObject, Value};
use crate::sidecar::{Direction, Profile};
use crate::stats::Stats;
use crate::trace::Trace;
use expression::Expressions;
use metrics::MetricIds;
use random::Random;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;
use timers::Timers;

/// What all VMs of one emulated Envoy share.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) profile: Profile,
    pub(crate) node: Value,
    pub(crate) clock: Clock,
    pub(crate) stats: RefCell<Stats>,
    pub(crate) shared: RefCell<SharedData>,
    pub(crate) logs: Logs,
}

/// One plugin: what a listener's filter configuration says.
#[derive(Debug, Clone, Default)]
pub(crate) struct Plugin {
    pub(crate) name: String,
    pub(crate) root_id: String,
    pub(crate) vm_id: String,
    pub(crate) direction: Direction,
    pub(crate) configuration: Vec<u8>,
    pub(crate) vm_configuration: Vec<u8>,
}

/// What a VM may use and see of its surroundings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sandbox {
    /// The callbacks and host functions it is restricted to.
    pub(crate) capabilities: Option<BTreeSet<String>>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) faults: Faults,
}

/// A root or stream context, by its id in the VM.
#[derive(Debug)]
struct Context {
    /// The root context; a root is its own.
    root: u32,
    plugin: Rc<Plugin>,
    stream: Option<Rc<RefCell<Stream>>>,
    /// The data buffers it can reach: from the callback on, until a callback answers Continue.
    reach: Reach,
}

/// What a host function asked for and Envoy does after the callback returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferred {
    /// `proxy_continue_stream(Downstream)` in a stream.
    ContinueReading {
        connection: u64,
        /// Whose turn is over: the filters behind it go on.
        filter: FilterContext,
    },
    /// `proxy_close_stream` in the stream with this connection id.
    Close(u64),
    /// `proxy_done` of a root that had answered `proxy_on_done` with false.
    Done(u32),
}

/// A stream context, among all VMs of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilterContext {
    pub(crate) vm: u32,
    pub(crate) context: u32,
}

/// The state behind the host functions of one VM.
#[derive(Debug)]
pub(crate) struct Host {
    /// Which VM of the process this is.
    pub(crate) vm: u32,
    sandbox: Sandbox,
    pub(crate) process: Rc<Process>,
    pub(crate) trace: Trace,
    pub(crate) timers: Timers,
    pub(crate) random: Random,
    contexts: HashMap<u32, Context>,
    /// Shared by all hosts whose filters live in one native VM.
    last_context_id: Rc<Cell<u32>>,
    current: u32,
    effective: Option<u32>,
    /// Set while a root is being configured: only then is its configuration readable.
    configuring: bool,
    /// Roots that answered `proxy_on_done` with false.
    pub(crate) pending_done: Vec<u32>,
    deferred: Vec<Deferred>,
    metrics: MetricIds,
    expressions: Expressions,
    /// What `declare_property` was told, by context.
    declared: BTreeMap<(u32, String), Prototype>,
    /// What the call under way hands over in the place of the truth.
    pub(crate) lie: Option<Vec<u8>>,
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
            sandbox,
            process,
            trace: Trace::default(),
            timers: Timers::default(),
            random: Random::default(),
            contexts: HashMap::new(),
            last_context_id,
            current: 0,
            effective: None,
            configuring: false,
            pending_done: Vec::new(),
            deferred: Vec::new(),
            metrics: MetricIds::default(),
            expressions: Expressions::default(),
            declared: BTreeMap::new(),
            lie: None,
        }
    }

    pub(crate) fn add_root(&mut self, plugin: Rc<Plugin>) -> u32 {
        let id = self.next_id();
        self.contexts.insert(
            id,
            Context {
                root: id,
                plugin,
                stream: None,
                reach: Reach::default(),
            },
        );
        id
    }

    pub(crate) fn add_stream(&mut self, root: u32, stream: Rc<RefCell<Stream>>) -> Option<u32> {
        let plugin = self.contexts.get(&root)?.plugin.clone();
        let id = self.next_id();
        self.contexts.insert(
            id,
            Context {
                root,
                plugin,
                stream: Some(stream),
                reach: Reach::default(),
            },
        );
        Some(id)
    }

    /// Lets a stream context reach one of the data buffers, or not any more.
    pub(crate) fn show(&mut self, context: u32, which: BufferType, shown: bool) {
        let context = self.contexts.get_mut(&context);
        if let Some(reach) = context.and_then(|context| context.reach.of(which)) {
            *reach = shown;
        }
    }

    pub(crate) fn remove_context(&mut self, id: u32) {
        self.contexts.remove(&id);
        self.declared.retain(|(context, _), _| *context != id);
        self.timers.cancel(id);
    }

    /// Root contexts that are older than this one and not shutting down yet.
    pub(crate) fn roots_before(&self, newest: u32) -> Vec<u32> {
        let old = |(id, context): (&u32, &Context)| {
            (context.root == *id && *id != newest && !self.pending_done.contains(id)).then_some(*id)
        };
        self.contexts
            .iter()
            .filter_map(old)
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect()
    }

    /// Whether the filter may use a callback or host function, by its name in the ABI.
    pub(crate) fn allows(&self, name: &str) -> bool {
        let capabilities = &self.sandbox.capabilities;
        capabilities
            .as_ref()
            .is_none_or(|allowed| allowed.contains(name))
    }

    /// A host call is made: what is to go wrong with it.
    pub(crate) fn fault(&self, call: Hostcall) -> Option<Answer> {
        self.sandbox.faults.next(call)
    }

    /// A call is over that was to hand over something else than the truth, if it handed over anything.
    pub(crate) fn forget_lie(&mut self) {
        if self.lie.take().is_some() {
            self.sandbox.faults.spare();
        }
    }

    /// The VM's environment variables, as C has them: `NAME=value` and a NUL.
    pub(crate) fn environment(&self) -> impl Iterator<Item = Vec<u8>> {
        let variables = self.sandbox.environment.iter();
        variables.map(|(name, value)| format!("{name}={value}\0").into_bytes())
    }

    /// Contexts that exist, roots included.
    pub(crate) fn context_count(&self) -> usize {
        self.contexts.len()
    }

    fn next_id(&self) -> u32 {
        let id = self.last_context_id.get() + 1;
        self.last_context_id.set(id);
        id
    }

    /// Called before a callback runs: the effective context of an earlier one is forgotten.
    pub(crate) fn enter(&mut self, context: u32, configuring: bool) {
        self.current = context;
        self.effective = None;
        self.configuring = configuring;
    }

    /// Called after a callback ran: what it asked for.
    pub(crate) fn leave(&mut self) -> Vec<Deferred> {
        self.configuring = false;
        std::mem::take(&mut self.deferred)
    }

    /// The context that host functions act for: the effective one while it exists.
    fn context_id(&self) -> u32 {
        self.effective
            .filter(|id| self.contexts.contains_key(id))
            .unwrap_or(self.current)
    }

    fn context(&self) -> HostResult<&Context> {
        self.contexts
            .get(&self.context_id())
            .ok_or(Status::InternalFailure)
    }

    /// The context whose callback is running, whatever the effective one is.
    fn running_context(&self) -> HostResult<&Context> {
        self.contexts
            .get(&self.current)
            .ok_or(Status::InternalFailure)
    }

    fn stream(&self) -> Option<Rc<RefCell<Stream>>> {
        self.context().ok()?.stream.clone()
    }

    /// `proxy_set_effective_context`: `BadArgument` for an id that does not exist; 0 is the callback's own again.
    pub(crate) fn set_effective_context(&mut self, id: u32) -> HostResult {
        self.effective = match id {
            0 => None,
            id if self.contexts.contains_key(&id) => Some(id),
            _ => return Err(Status::BadArgument),
        };
        Ok(())
    }

    /// `proxy_get_property`.
    pub(crate) fn get_property(&self, path: &str) -> HostResult<Vec<u8>> {
        let found = self.with_scope(self.context()?, |scope| property::lookup(scope, path));
        found.ok_or(Status::NotFound)?.encode()
    }

    fn with_scope<T>(&self, context: &Context, look: impl FnOnce(&property::Scope<'_>) -> T) -> T {
        let stream = context.stream.as_ref().map(|stream| stream.borrow());
        look(&property::Scope {
            profile: self.process.profile,
            node: &self.process.node,
            plugin: &context.plugin,
            stream: stream.as_ref().map(|stream| &stream.info),
        })
    }

    /// `proxy_set_property`: filter state `wasm.<path>` of the stream, of the type that was declared before it was first set;
    /// a root context has none.
    pub(crate) fn set_property(&self, path: &str, value: Vec<u8>) -> HostResult {
        let stream = self.stream().ok_or(Status::NotFound)?;
        let state = &mut stream.borrow_mut().info.filter_state;
        let key = format!("wasm.{path}");
        let object = match state.get(&key) {
            Some(object) => object.replaced(value).ok_or(Status::BadArgument)?,
            None => StateObject::new(self.prototype(path)?, value),
        };
        state.insert(key, object);
        Ok(())
    }

    /// What the root declared: what a stream declares counts for nothing.
    fn prototype(&self, name: &str) -> HostResult<Prototype> {
        let declared = self.declared.get(&(self.context()?.root, name.to_owned()));
        Ok(declared.copied().unwrap_or_default())
    }

    /// `proxy_continue_stream`: deferred, for the upstream direction not there at all, and for HTTP nothing at all.
    pub(crate) fn continue_stream(&mut self, stream: StreamType) -> HostResult {
        match stream {
            StreamType::Downstream => {
                if let Some(stream) = self.stream() {
                    let connection = stream.borrow().info.connection_id;
                    let (vm, context) = (self.vm, self.context_id());
                    let filter = FilterContext { vm, context };
                    self.deferred
                        .push(Deferred::ContinueReading { connection, filter });
                }
                Ok(())
            }
            StreamType::Upstream => Err(Status::Unimplemented),
            StreamType::Http => Ok(()),
        }
    }

    /// `proxy_close_stream`: deferred; both directions close the downstream connection.
    pub(crate) fn close_stream(&mut self, stream: StreamType) -> HostResult {
        if stream != StreamType::Http
            && let Some(stream) = self.stream()
        {
            let id = stream.borrow().info.connection_id;
            self.deferred.push(Deferred::Close(id));
        }
        Ok(())
    }

    /// `proxy_done`: `NotFound` unless the root's shutdown waits for it.
    pub(crate) fn done(&mut self) -> HostResult {
        let root = self.context()?.root;
        let waiting = self
            .pending_done
            .iter()
            .position(|id| *id == root)
            .ok_or(Status::NotFound)?;
        self.pending_done.swap_remove(waiting);
        self.deferred.push(Deferred::Done(root));
        Ok(())
    }

    /// `proxy_get_buffer_bytes`: at most what is there; a start past the end reads nothing.
    pub(crate) fn get_buffer(
        &self,
        which: BufferType,
        start: u64,
        length: u64,
    ) -> HostResult<Vec<u8>> {
        self.with_buffer(which, |bytes| {
            let from = bytes.get(offset(start)..).unwrap_or_default();
            from.get(..offset(length)).unwrap_or(from).to_vec()
        })
    }

    /// `proxy_get_buffer_status`: the size of a buffer.
    pub(crate) fn buffer_size(&self, which: BufferType) -> HostResult<usize> {
        self.with_buffer(which, <[u8]>::len)
    }

    /// `proxy_set_buffer_bytes`. The configuration buffers are read-only copies.
    pub(crate) fn set_buffer(
        &self,
        which: BufferType,
        start: u64,
        length: u64,
        data: &[u8],
    ) -> HostResult {
        match which {
            BufferType::DownstreamData | BufferType::UpstreamData => {
                let reach = self.context()?.reach;
                let stream = self.stream().ok_or(Status::BadArgument)?;
                let mut stream = stream.borrow_mut();
                let buffer = reach.edit(&mut stream, which);
                let buffer = buffer.ok_or(Status::BadArgument)?;
                buffer.copy_from(offset(start), offset(length), data)
            }
            _ => self
                .with_buffer(which, |_| ())
                .and(Err(Status::BadArgument)),
        }
    }

    fn with_buffer<T>(&self, which: BufferType, read: impl FnOnce(&[u8]) -> T) -> HostResult<T> {
        let context = self.context()?;
        match which {
            BufferType::DownstreamData | BufferType::UpstreamData => {
                let stream = context.stream.as_ref().map(|stream| stream.borrow());
                let buffer = stream
                    .as_ref()
                    .and_then(|stream| context.reach.read(stream, which));
                Ok(read(buffer.map(Buffer::as_slice).unwrap_or_default()))
            }
            BufferType::VmConfiguration => Ok(read(&context.plugin.vm_configuration)),
            BufferType::PluginConfiguration if self.configuring => {
                Ok(read(&context.plugin.configuration))
            }
            BufferType::Empty => Ok(read(&[])),
            BufferType::PluginConfiguration | BufferType::GrpcReceived => Err(Status::NotFound),
        }
    }
}

/// An offset into a buffer; one past what memory can hold is past its end as well.
fn offset(word: u64) -> usize {
    usize::try_from(word).unwrap_or(usize::MAX)
}
