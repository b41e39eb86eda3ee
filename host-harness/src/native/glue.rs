//! The host functions as symbols, and the calls into a linked filter.
#![allow(unsafe_code, reason = "the ABI is C and hands over addresses")]

use super::filter::Filter;
use super::supervisor;
use crate::abi::{HostResult, Status};
use crate::host::Host;
use crate::hostcalls::{self, Guest, Hostcall, Word, for_each_hostcall};
use crate::vm::{Callback, Outcome, Trap, Vm};
use std::cell::{Cell, RefCell, RefMut};
use std::rc::Rc;

thread_local! {
    /// The filter that runs in this thread right now, and the host it calls.
    static CURRENT: RefCell<Option<Linked>> = const { RefCell::new(None) };
    static INITIALIZED: Cell<bool> = const { Cell::new(false) };
    /// Context ids must be unique within a VM, which the whole thread is.
    static LAST_CONTEXT_ID: Rc<Cell<u32>> = Rc::default();
}

/// A filter in its VM, which is the current thread.
pub(crate) struct NativeVm {
    linked: Linked,
}

#[derive(Clone)]
struct Linked {
    filter: Filter,
    host: Rc<RefCell<Host>>,
}

impl NativeVm {
    /// Initialises the filter, once per thread.
    pub(crate) fn new(filter: Filter, host: Rc<RefCell<Host>>) -> Self {
        let vm = Self {
            linked: Linked { filter, host },
        };
        if !INITIALIZED.replace(true) {
            vm.enter(|filter| (filter.initialize)());
            supervisor::watch();
        }
        vm
    }

    /// The context ids of this thread's VM.
    pub(crate) fn context_ids() -> Rc<Cell<u32>> {
        LAST_CONTEXT_ID.with(Rc::clone)
    }

    fn enter<T>(&self, callback: impl FnOnce(&Filter) -> T) -> T {
        let outer = CURRENT.replace(Some(self.linked.clone()));
        let result = supervisor::inside(|| callback(&self.linked.filter));
        CURRENT.set(outer);
        result
    }
}

impl Vm for NativeVm {
    fn call(&mut self, callback: &Callback) -> Result<Outcome, Trap> {
        let result = self.enter(|filter| dispatch(filter, *callback));
        Ok(Outcome {
            exported: true,
            result,
            ..Outcome::default()
        })
    }

    fn memory_size(&mut self) -> usize {
        0
    }
}

fn dispatch(filter: &Filter, callback: Callback) -> Option<u32> {
    match callback {
        Callback::ContextCreate { context, parent } => (filter.context_create)(context, parent),
        Callback::VmStart {
            context,
            configuration_size,
        } => {
            return Some((filter.vm_start)(context, configuration_size as usize).into());
        }
        Callback::Configure {
            context,
            configuration_size,
        } => {
            return Some((filter.configure)(context, configuration_size as usize).into());
        }
        Callback::Tick { context } => (filter.tick)(context),
        Callback::QueueReady { context, token } => (filter.queue_ready)(context, token),
        Callback::NewConnection { context } => return Some((filter.new_connection)(context)),
        Callback::DownstreamData {
            context,
            size,
            end_of_stream,
        } => {
            return Some((filter.downstream_data)(
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
            return Some((filter.upstream_data)(
                context,
                size as usize,
                end_of_stream,
            ));
        }
        Callback::DownstreamClose { context, peer } => (filter.downstream_close)(context, peer),
        Callback::UpstreamClose { context, peer } => (filter.upstream_close)(context, peer),
        Callback::Done { context } => return Some((filter.done)(context).into()),
        Callback::Log { context } => (filter.log)(context),
        Callback::Delete { context } => (filter.delete)(context),
    }
    None
}

/// A linked filter in the middle of a callback. Its memory is the process' own.
struct Inside(Linked);

impl Guest for Inside {
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
        // SAFETY: the address is a return slot of the SDK, or memory its allocator just gave us, of at least this size.
        unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), to, bytes.len()) };
        Some(())
    }

    fn write_word(&mut self, address: Word, value: Word) -> Option<()> {
        self.write(address, &usize::try_from(value).ok()?.to_ne_bytes())
    }

    fn allocate(&mut self, length: Word) -> Option<Word> {
        let memory = (self.0.filter.allocate)(usize::try_from(length).ok()?);
        (!memory.is_null()).then(|| memory.expose_provenance() as Word)
    }
}

/// Runs a host function for the filter that is current in this thread.
fn serve(call: Hostcall, serve: impl FnOnce(&mut Inside) -> HostResult) -> u32 {
    let Some(current) = CURRENT.with_borrow(Option::clone) else {
        // The SDK's logger serves the whole process: what others log through it goes nowhere.
        let nowhere = if call == Hostcall::proxy_log {
            Status::Ok
        } else {
            Status::InternalFailure
        };
        return nowhere.number();
    };
    let mut inside = Inside(current);
    let status = hostcalls::serve(&mut inside, call, serve);
    if !known_to_sdks(status) {
        let name = Hostcall::NAMES
            .get(call as usize)
            .unwrap_or(&"a host function");
        supervisor::fail(format!(
            "{name} answers {status:?}, for which the Rust SDK has no name"
        ));
    }
    status.number()
}

/// The Rust SDK makes an enum of what we return: any other number would be undefined behaviour.
fn known_to_sdks(status: Status) -> bool {
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

macro_rules! define {
    ($($name:ident($($argument:ident: $type:ident),* $(,)?);)*) => {
        $(
            #[unsafe(no_mangle)]
            #[allow(clippy::too_many_arguments, trivial_numeric_casts, reason = "the ABI's signature")]
            extern "C" fn $name($($argument: $type),*) -> u32 {
                serve(Hostcall::$name, |guest| hostcalls::$name(guest, $($argument as _),*))
            }
        )*
    };
}
for_each_hostcall!(define);
