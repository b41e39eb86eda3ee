//! The wasmtime back end.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use wasmtime::{Caller, Engine, Func, Instance, Linker, Store, TypedFunc, Val, WasmBacktrace};

use super::caller::{StoreData, WasmCaller};
use super::{Trap, Vm, wasi};
use crate::abi::{AbiVersion, Callback, CallbackOutcome, Hostcall, for_each_hostcall};
use crate::host::{Host, Sandbox};
use crate::hostcalls;
use crate::module::{Compiled, LoadError};
use crate::profile::Profile;

/// The fuel of one callback: about half a second. A callback that consumes all of it hangs, and traps.
/// Envoy has no such limit, but reports a worker as stuck that does not respond for a second
/// (`megamiss_timeout` of its watchdog).
const CALLBACK_FUEL: u64 = 500_000_000;

/// The export that returns the number of allocations, in filters that link `count-allocations`.
const ALLOCATIONS: &str = "harness_allocations";

/// An instance of a module.
pub(crate) struct WasmVm {
    store: Store<StoreData>,
    instance: Instance,
    exports: HashMap<&'static str, Option<Func>>,
    allocations: Option<TypedFunc<(), u64>>,
}

impl WasmVm {
    /// Instantiates a module and runs its initialisation (`_initialize`, else `_start`), as
    /// `WasmBase::startVm` does.
    pub(crate) fn new(compiled: &Compiled, host: Rc<RefCell<Host>>) -> Result<Self, LoadError> {
        let (module, version) = (&compiled.module, compiled.abi_version);
        let profile = host.borrow().process.profile;
        let (mut store, linker) = prepare(module.engine(), version, host)?;
        let mut imports = unlinked(module, &linker, &mut store);
        imports.extend(lacking(module, version, profile));
        if !imports.is_empty() {
            return Err(LoadError::UnknownImports { version, imports });
        }
        let instance = linker
            .instantiate(&mut store, module)
            .map_err(|error| not_started("start", &error))?;
        let memory = instance
            .get_memory(&mut store, "memory")
            .ok_or(LoadError::NoMemory)?;
        store.data_mut().memory = Some(memory);
        let allocator = ["malloc", "proxy_on_memory_allocate"]
            .into_iter()
            .find_map(|name| instance.get_typed_func(&mut store, name).ok())
            .ok_or(LoadError::NoAllocator)?;
        store.data_mut().allocator = Some(allocator);
        let allocations = instance.get_typed_func(&mut store, ALLOCATIONS).ok();
        let mut vm = Self {
            store,
            instance,
            exports: HashMap::new(),
            allocations,
        };
        vm.initialize()?;
        Ok(vm)
    }

    /// `module.name` of each import that the host does not provide for this ABI version.
    pub(crate) fn unknown_imports(
        module: &wasmtime::Module,
        version: AbiVersion,
    ) -> Result<Vec<String>, LoadError> {
        let host = Host::new(Rc::default(), Rc::default(), Sandbox::default());
        let (mut store, linker) = prepare(module.engine(), version, Rc::new(RefCell::new(host)))?;
        Ok(unlinked(module, &linker, &mut store))
    }

    fn initialize(&mut self) -> Result<(), LoadError> {
        let (instance, store) = (self.instance, &mut self.store);
        if let Some(initialize) = instance.get_func(&mut *store, "_initialize") {
            let done = initialize.call(&mut *store, &[], &mut []);
            done.map_err(|error| not_started("_initialize", &error))?;
            if let Ok(main) = instance.get_typed_func::<(u32, u32), u32>(&mut *store, "main") {
                let done = main.call(&mut *store, (0, 0));
                done.map_err(|error| not_started("main", &error))?;
            }
        } else if let Some(start) = instance.get_func(&mut *store, "_start") {
            let done = start.call(&mut *store, &[], &mut []);
            done.map_err(|error| not_started("_start", &error))?;
        }
        Ok(())
    }

    fn export(&mut self, name: &'static str) -> Option<Func> {
        *self
            .exports
            .entry(name)
            .or_insert_with(|| self.instance.get_func(&mut self.store, name))
    }

    /// The allocations so far; 0 for a filter that does not count them.
    fn allocations(&mut self) -> u64 {
        let count = self.allocations.as_ref();
        count.map_or(0, |count| count.call(&mut self.store, ()).unwrap_or(0))
    }
}

impl Vm for WasmVm {
    fn call(&mut self, callback: &Callback) -> Result<CallbackOutcome, Trap> {
        let Some(function) = self.export(callback.name()) else {
            return Ok(CallbackOutcome::default());
        };
        let arguments: Vec<_> = callback
            .arguments()
            .into_iter()
            .map(|value| Val::I32(value.cast_signed()))
            .collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let allocations = self.allocations();
        refuel(&mut self.store);
        let called = function.call(&mut self.store, &arguments, &mut results);
        let fuel = CALLBACK_FUEL - self.store.get_fuel().unwrap_or(CALLBACK_FUEL);
        called.map_err(|error| trap(callback.name(), &error, fuel))?;
        Ok(CallbackOutcome {
            exported: true,
            result: results.first().and_then(Val::i32).map(i32::cast_unsigned),
            fuel,
            allocations: self.allocations() - allocations,
        })
    }

    fn memory_size(&mut self) -> usize {
        let memory = self.store.data().memory;
        memory.map_or(0, |memory| memory.data_size(&self.store))
    }
}

/// Describes an error of wasmtime in a function.
fn trap(function: &'static str, error: &wasmtime::Error, fuel: u64) -> Trap {
    let code = error.downcast_ref::<wasmtime::Trap>();
    let is_hang = code == Some(&wasmtime::Trap::OutOfFuel);
    let reason = match code {
        Some(_) if is_hang => format!("it did not return within {CALLBACK_FUEL} instructions"),
        Some(code) => code.to_string(),
        // An error of a host function: `proc_exit`.
        None => error.root_cause().to_string(),
    };
    let frames = error.downcast_ref::<WasmBacktrace>();
    let frames = frames.map(WasmBacktrace::frames).unwrap_or_default();
    let backtrace = frames.iter().zip(0..).map(|(frame, number): (_, u32)| {
        let offset = frame.module_offset().unwrap_or_default();
        let name = match frame.func_name() {
            Some(name) => format!("{:#}", rustc_demangle::demangle(name)),
            None => format!("function {}", frame.func_index()),
        };
        format!("{number}: {offset:#x} - {name}")
    });
    Trap {
        function,
        is_hang,
        reason,
        backtrace: backtrace.collect(),
        fuel,
    }
}

/// The initialisation ended in this function: by a trap, or by another error of wasmtime.
fn not_started(function: &'static str, error: &wasmtime::Error) -> LoadError {
    match error.downcast_ref::<wasmtime::Trap>() {
        Some(_) => LoadError::Trapped(Box::new(trap(function, error, 0).into_failure())),
        None => LoadError::Start(format!("{error:#}")),
    }
}

/// Fails only for an engine without metering, which needs no fuel.
fn refuel(store: &mut Store<StoreData>) {
    store.set_fuel(CALLBACK_FUEL).ok();
}

/// A store, and a linker with everything that a module can import.
fn prepare(
    engine: &Engine,
    version: AbiVersion,
    host: Rc<RefCell<Host>>,
) -> Result<(Store<StoreData>, Linker<StoreData>), LoadError> {
    let mut store = Store::new(engine, StoreData::new(host));
    store.limiter(|data| &mut data.limits);
    refuel(&mut store);
    let mut linker = Linker::new(engine);
    link(&mut linker, version)
        .and_then(|()| wasi::link(&mut linker))
        .map_err(LoadError::engine)?;
    Ok((store, linker))
}

/// Links the host functions of one ABI version, as `WasmBase::registerCallbacks` does.
fn link(linker: &mut Linker<StoreData>, version: AbiVersion) -> wasmtime::Result<()> {
    type Int = u32;
    type Ptr = u32;
    type Long = u64;
    macro_rules! register {
        ($($name:ident($($argument:ident: $type:ident),* $(,)?);)*) => {
            $(if provides(version, stringify!($name)) {
                linker.func_wrap(
                    "env",
                    stringify!($name),
                    #[allow(unused_mut, clippy::too_many_arguments, trivial_numeric_casts)]
                    |mut caller: Caller<'_, StoreData>, $($argument: $type),*| -> u32 {
                        hostcalls::run(&mut WasmCaller(&mut caller), Hostcall::$name, |guest| {
                            hostcalls::$name(guest, $($argument as _),*)
                        })
                        .number()
                    },
                )?;
            })*
        };
    }
    for_each_hostcall!(register);
    // The runtime of Emscripten, with which C++ filters are built.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| {
        u32::from(left == right)
    })?;
    Ok(())
}

/// Whether a host function exists in an ABI version; most exist in all.
fn provides(version: AbiVersion, name: &str) -> bool {
    match name {
        "proxy_get_configuration"
        | "proxy_continue_request"
        | "proxy_continue_response"
        | "proxy_clear_route_cache" => version == AbiVersion::V0_1_0,
        "proxy_continue_stream" | "proxy_close_stream" => version >= AbiVersion::V0_2_0,
        "proxy_get_log_level" => version == AbiVersion::V0_2_1,
        _ => true,
    }
}

/// `module.name` of each import that this version of Envoy lacks.
fn lacking(module: &wasmtime::Module, version: AbiVersion, profile: Profile) -> Vec<String> {
    let version = version.to_string();
    let lacks = |import: &wasmtime::ImportType<'_>| {
        let section = match import.module() {
            "env" => &version,
            other => other,
        };
        !profile.has_import(section, import.name())
    };
    let imports = module.imports().filter(lacks);
    imports
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect()
}

/// `module.name` of each import that is not linked.
fn unlinked(
    module: &wasmtime::Module,
    linker: &Linker<StoreData>,
    store: &mut Store<StoreData>,
) -> Vec<String> {
    module
        .imports()
        .filter(|import| linker.get_by_import(&mut *store, import).is_none())
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect()
}
