//! The wasmtime back end.

use super::{Callback, Outcome, Trap, Vm, wasi};
use crate::abi::AbiVersion;
use crate::host::{Host, Sandbox};
use crate::hostcalls::{self, Guest, Hostcall, Word, for_each_hostcall};
use crate::module::{Compiled, LoadError};
use std::cell::{RefCell, RefMut};
use std::collections::HashMap;
use std::rc::Rc;
use wasmtime::{Caller, Engine, Func, Instance, Linker, Memory, Store, TypedFunc, Val};

/// Fuel that no callback burns unless it hangs: some ten seconds' worth. Then it traps.
const FULL_TANK: u64 = 10_000_000_000;

/// How many allocations the filter has made, in filters that link `count-allocations` in.
const ALLOCATIONS: &str = "harness_allocations";

/// What host functions reach through the store.
pub(super) struct Guts {
    host: Rc<RefCell<Host>>,
    memory: Option<Memory>,
    allocator: Option<TypedFunc<u32, u32>>,
}

/// An instance of a module.
pub(crate) struct WasmVm {
    store: Store<Guts>,
    instance: Instance,
    exports: HashMap<&'static str, Option<Func>>,
    allocations: Option<TypedFunc<(), u64>>,
}

impl WasmVm {
    /// Instantiates a module and runs its initialisation (`_initialize`, else `_start`), as `WasmBase::startVm` does.
    pub(crate) fn new(compiled: &Compiled, host: Rc<RefCell<Host>>) -> Result<Self, LoadError> {
        let (module, version) = (&compiled.module, compiled.abi_version);
        let (mut store, linker) = prepare(module.engine(), version, host)?;
        let imports = unlinked(module, &linker, &mut store);
        if !imports.is_empty() {
            return Err(LoadError::UnknownImports { version, imports });
        }
        let instance = linker
            .instantiate(&mut store, module)
            .map_err(LoadError::engine)?;
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
        vm.initialize().map_err(LoadError::engine)?;
        Ok(vm)
    }

    /// `module.name` of each import that the host does not provide to this ABI version.
    pub(crate) fn unknown_imports(
        module: &wasmtime::Module,
        version: AbiVersion,
    ) -> Result<Vec<String>, LoadError> {
        let host = Host::new(Rc::default(), Rc::default(), Sandbox::default());
        let (mut store, linker) = prepare(module.engine(), version, Rc::new(RefCell::new(host)))?;
        Ok(unlinked(module, &linker, &mut store))
    }

    fn initialize(&mut self) -> wasmtime::Result<()> {
        if let Some(initialize) = self.instance.get_func(&mut self.store, "_initialize") {
            initialize.call(&mut self.store, &[], &mut [])?;
            if let Ok(main) = self
                .instance
                .get_typed_func::<(u32, u32), u32>(&mut self.store, "main")
            {
                main.call(&mut self.store, (0, 0))?;
            }
        } else if let Some(start) = self.instance.get_func(&mut self.store, "_start") {
            start.call(&mut self.store, &[], &mut [])?;
        }
        Ok(())
    }

    fn export(&mut self, name: &'static str) -> Option<Func> {
        *self
            .exports
            .entry(name)
            .or_insert_with(|| self.instance.get_func(&mut self.store, name))
    }

    /// The allocations so far, 0 in a filter that does not count them.
    fn allocations(&mut self) -> u64 {
        let count = self.allocations.as_ref();
        count.map_or(0, |count| count.call(&mut self.store, ()).unwrap_or(0))
    }
}

impl Vm for WasmVm {
    fn call(&mut self, callback: &Callback) -> Result<Outcome, Trap> {
        let Some(function) = self.export(callback.name()) else {
            return Ok(Outcome::default());
        };
        let arguments: Vec<_> = callback
            .arguments()
            .into_iter()
            .map(|value| Val::I32(value.cast_signed()))
            .collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        let allocations = self.allocations();
        refuel(&mut self.store);
        function
            .call(&mut self.store, &arguments, &mut results)
            .map_err(|error| Trap {
                function: callback.name(),
                reason: format!("{error:#}"),
            })?;
        let left = self.store.get_fuel().unwrap_or(FULL_TANK);
        Ok(Outcome {
            exported: true,
            result: results.first().and_then(Val::i32).map(i32::cast_unsigned),
            fuel: FULL_TANK - left,
            allocations: self.allocations() - allocations,
        })
    }

    fn memory_size(&mut self) -> usize {
        let memory = self.store.data().memory;
        memory.map_or(0, |memory| memory.data_size(&self.store))
    }
}

/// An engine without metering refuses fuel: nothing to count then.
fn refuel(store: &mut Store<Guts>) {
    store.set_fuel(FULL_TANK).ok();
}

/// A store, and everything a module can import in it.
fn prepare(
    engine: &Engine,
    version: AbiVersion,
    host: Rc<RefCell<Host>>,
) -> Result<(Store<Guts>, Linker<Guts>), LoadError> {
    let mut store = Store::new(
        engine,
        Guts {
            host,
            memory: None,
            allocator: None,
        },
    );
    refuel(&mut store);
    let mut linker = Linker::new(engine);
    link(&mut linker, version)
        .and_then(|()| wasi::link(&mut linker))
        .map_err(LoadError::engine)?;
    Ok((store, linker))
}

/// Links the host functions of one ABI version, as `WasmBase::registerCallbacks` does.
fn link(linker: &mut Linker<Guts>, version: AbiVersion) -> wasmtime::Result<()> {
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
                    |mut caller: Caller<'_, Guts>, $($argument: $type),*| -> u32 {
                        hostcalls::serve(&mut Inside(&mut caller), Hostcall::$name, |guest| {
                            hostcalls::$name(guest, $($argument as _),*)
                        })
                        .number()
                    },
                )?;
            })*
        };
    }
    for_each_hostcall!(register);
    // Emscripten's runtime, which C++ filters are built with.
    linker.func_wrap("env", "emscripten_notify_memory_growth", |_: u32| {})?;
    linker.func_wrap("env", "pthread_equal", |left: u32, right: u32| {
        u32::from(left == right)
    })?;
    Ok(())
}

/// Whether a host function exists in an ABI version; most exist in all.
pub(crate) fn provides(version: AbiVersion, name: &str) -> bool {
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

/// `module.name` of each import that is not linked.
fn unlinked(
    module: &wasmtime::Module,
    linker: &Linker<Guts>,
    store: &mut Store<Guts>,
) -> Vec<String> {
    module
        .imports()
        .filter(|import| linker.get_by_import(&mut *store, import).is_none())
        .map(|import| format!("{}.{}", import.module(), import.name()))
        .collect()
}

/// A guest seen from within one of its host calls.
pub(super) struct Inside<'a, 'b>(pub(super) &'a mut Caller<'b, Guts>);

impl Inside<'_, '_> {
    fn memory(&self) -> Option<Memory> {
        self.0.data().memory
    }
}

impl Guest for Inside<'_, '_> {
    fn host(&self) -> RefMut<'_, Host> {
        self.0.data().host.borrow_mut()
    }

    fn read(&mut self, address: Word, length: Word) -> Option<Vec<u8>> {
        let (start, end) = range(address, length)?;
        self.memory()?
            .data(&self.0)
            .get(start..end)
            .map(<[u8]>::to_vec)
    }

    fn write(&mut self, address: Word, bytes: &[u8]) -> Option<()> {
        let (start, end) = range(address, bytes.len() as Word)?;
        let memory = self.memory()?.data_mut(&mut self.0);
        memory.get_mut(start..end)?.copy_from_slice(bytes);
        Some(())
    }

    fn write_word(&mut self, address: Word, value: Word) -> Option<()> {
        self.write(address, &u32::try_from(value).ok()?.to_le_bytes())
    }

    fn allocate(&mut self, length: Word) -> Option<Word> {
        let allocator = self.0.data().allocator.clone()?;
        let address = allocator
            .call(&mut self.0, u32::try_from(length).ok()?)
            .ok()?;
        (address != 0).then_some(address.into())
    }
}

fn range(address: Word, length: Word) -> Option<(usize, usize)> {
    let start = usize::try_from(address).ok()?;
    Some((start, start.checked_add(usize::try_from(length).ok()?)?))
}
