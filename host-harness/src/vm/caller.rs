//! The calling module as host functions see it.

use std::cell::{RefCell, RefMut};
use std::rc::Rc;

use wasmtime::{Caller, Memory, StoreLimits, StoreLimitsBuilder, TypedFunc};

use crate::host::Host;
use crate::hostcalls::{Guest, Word};

/// The size of a VM's memory beyond which it does not grow, as in Envoy (measured).
const MEMORY_LIMIT: usize = 1 << 30;

/// The data of a wasmtime store.
pub(super) struct StoreData {
    host: Rc<RefCell<Host>>,
    /// `None` during the instantiation.
    pub(super) memory: Option<Memory>,
    /// `None` during the instantiation.
    pub(super) allocator: Option<TypedFunc<u32, u32>>,
    pub(super) limits: StoreLimits,
}

impl StoreData {
    pub(super) fn new(host: Rc<RefCell<Host>>) -> Self {
        Self {
            host,
            memory: None,
            allocator: None,
            limits: StoreLimitsBuilder::new().memory_size(MEMORY_LIMIT).build(),
        }
    }
}

/// The module that is calling a host function.
pub(super) struct WasmCaller<'a, 'b>(pub(super) &'a mut Caller<'b, StoreData>);

impl WasmCaller<'_, '_> {
    fn memory(&self) -> Option<Memory> {
        self.0.data().memory
    }
}

impl Guest for WasmCaller<'_, '_> {
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
