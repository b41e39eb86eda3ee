//! The native back end: host functions as symbols, and calls into a linked filter.
#![allow(unsafe_code, reason = "the ABI is C and passes addresses")]

mod supervisor;

use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

pub use supervisor::{NativeFailure, run};

use super::{Trap, Vm};
use crate::abi::{Callback, CallbackOutcome, HostResult, Hostcall, Status, for_each_hostcall};
use crate::host::Host;
use crate::hostcalls::{self, Guest, Word};
use crate::module::Exports;

thread_local! {
    /// The filter that is running in this thread, and its host.
    static CURRENT: RefCell<Option<Linked>> = const { RefCell::new(None) };
    static INITIALIZED: Cell<bool> = const { Cell::new(false) };
    /// Context ids are unique within a VM, and the whole thread is one VM.
    static LAST_CONTEXT_ID: Rc<Cell<u32>> = Rc::default();
}

/// A linked filter; its VM is the current thread.
pub(crate) struct NativeVm {
    linked: Linked,
}

#[derive(Clone)]
struct Linked {
    exports: Exports,
    host: Rc<RefCell<Host>>,
}

impl NativeVm {
    /// Initialises the filter, once per thread.
    pub(crate) fn new(exports: Exports, host: Rc<RefCell<Host>>) -> Self {
        let vm = Self {
            linked: Linked { exports, host },
        };
        if !INITIALIZED.replace(true) {
            supervisor::initialize(|| vm.enter(|exports| (exports.initialize)()));
        }
        vm
    }

    /// The context ids of this thread's VM.
    pub(crate) fn context_ids() -> Rc<Cell<u32>> {
        LAST_CONTEXT_ID.with(Rc::clone)
    }

    fn enter<T>(&self, callback: impl FnOnce(&Exports) -> T) -> T {
        let outer = CURRENT.replace(Some(self.linked.clone()));
        let result = supervisor::in_filter(|| callback(&self.linked.exports));
        CURRENT.set(outer);
        result
    }
}

impl Vm for NativeVm {
    fn call(&mut self, callback: &Callback) -> Result<CallbackOutcome, Trap> {
        let result = self.enter(|exports| call(exports, *callback));
        Ok(CallbackOutcome {
            exported: true,
            result,
            ..CallbackOutcome::default()
        })
    }

    fn memory_size(&mut self) -> usize {
        0
    }
}

fn call(exports: &Exports, callback: Callback) -> Option<u32> {
    match callback {
        Callback::ContextCreate { context, parent } => (exports.context_create)(context, parent),
        Callback::VmStart {
            context,
            configuration_size,
        } => {
            return Some((exports.vm_start)(context, configuration_size as usize).into());
        }
        Callback::Configure {
            context,
            configuration_size,
        } => {
            return Some((exports.configure)(context, configuration_size as usize).into());
        }
        Callback::Tick { context } => (exports.tick)(context),
        Callback::QueueReady { context, token } => (exports.queue_ready)(context, token),
        Callback::NewConnection { context } => return Some((exports.new_connection)(context)),
        Callback::DownstreamData {
            context,
            size,
            end_of_stream,
        } => {
            return Some((exports.downstream_data)(
                context,
                size as usize,
                end_of_stream,
            ));
        }
        Callback::UpstreamData {
            context,
            size,
            end_of_stream,
        } => {
            return Some((exports.upstream_data)(
                context,
                size as usize,
                end_of_stream,
            ));
        }
        Callback::DownstreamClose { context, peer } => (exports.downstream_close)(context, peer),
        Callback::UpstreamClose { context, peer } => (exports.upstream_close)(context, peer),
        Callback::Done { context } => return Some((exports.done)(context).into()),
        Callback::Log { context } => (exports.log)(context),
        Callback::Delete { context } => (exports.delete)(context),
    }
    None
}

/// A linked filter that is executing a callback. Its memory is the memory of the process.
struct NativeCaller(Linked);

impl Guest for NativeCaller {
    fn host(&self) -> RefMut<'_, Host> {
        self.0.host.borrow_mut()
    }

    fn read(&mut self, address: Word, length: Word) -> Option<Vec<u8>> {
        let (address, length) = (
            usize::try_from(address).ok()?,
            usize::try_from(length).ok()?,
        );
        if length == 0 {
            return Some(Vec::new());
        }
        let data = std::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: the SDK passes address and length of a live slice.
        (!data.is_null()).then(|| unsafe { std::slice::from_raw_parts(data, length) }.to_vec())
    }

    fn write(&mut self, address: Word, bytes: &[u8]) -> Option<()> {
        let to = std::ptr::with_exposed_provenance_mut::<u8>(usize::try_from(address).ok()?);
        if to.is_null() {
            return None;
        }
        // SAFETY: the address is a return slot of the SDK, or new memory of its allocator, of at
        // least this size.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Some(())
    }

    fn write_word(&mut self, address: Word, value: Word) -> Option<()> {
        self.write(address, &usize::try_from(value).ok()?.to_ne_bytes())
    }

    fn allocate(&mut self, length: Word) -> Option<Word> {
        let memory = (self.0.exports.allocate)(usize::try_from(length).ok()?);
        (!memory.is_null()).then(|| memory.expose_provenance() as Word)
    }
}

/// Runs a host function for the filter that is running in this thread.
fn hostcall(call: Hostcall, function: impl FnOnce(&mut NativeCaller) -> HostResult) -> u32 {
    let Some(current) = CURRENT.with_borrow(Option::clone) else {
        // The SDK installs its logger for the whole process; lines of other code are dropped.
        let status = if call == Hostcall::proxy_log {
            Status::Ok
        } else {
            Status::InternalFailure
        };
        return status.number();
    };
    let status = hostcalls::run(&mut NativeCaller(current), call, function);
    if !has_name_in_sdk(status) {
        let name = Hostcall::NAMES
            .get(call as usize)
            .unwrap_or(&"a host function");
        supervisor::fail(format!(
            "{name} answers {status:?}, for which the Rust SDK has no name"
        ));
    }
    status.number()
}

/// The Rust SDK declares an enumeration as the return type of host functions, so a number without a
/// name is undefined behaviour.
fn has_name_in_sdk(status: Status) -> bool {
    !matches!(
        status,
        Status::BadExpression
            | Status::InvalidMemoryAccess
            | Status::ResultMismatch
            | Status::BrokenConnection
            | Status::Unimplemented
            | Status::Other(_)
    )
}

type Int = u32;
type Ptr = usize;
type Long = u64;

/// Defines the host functions as symbols.
macro_rules! define {
    ($($name:ident($($argument:ident: $type:ident),* $(,)?);)*) => {
        $(
            #[unsafe(no_mangle)]
            #[allow(clippy::too_many_arguments, trivial_numeric_casts, reason = "the ABI's signature")]
            extern "C" fn $name($($argument: $type),*) -> u32 {
                hostcall(Hostcall::$name, |guest| hostcalls::$name(guest, $($argument as _),*))
            }
        )*
    };
}
for_each_hostcall!(define);
