//! The guest as host functions see it.

use std::cell::RefMut;

use crate::abi::{HostResult, Status};
use crate::host::Host;

/// An address or a length in guest memory.
pub(crate) type Word = u64;

/// A guest that is executing a callback: its memory, and its host.
pub(crate) trait Guest {
    fn host(&self) -> RefMut<'_, Host>;
    fn read(&mut self, address: Word, length: Word) -> Option<Vec<u8>>;
    fn write(&mut self, address: Word, bytes: &[u8]) -> Option<()>;
    /// Writes a length or an address in the guest's word size.
    fn write_word(&mut self, address: Word, value: Word) -> Option<()>;
    /// Allocates memory with the guest's allocator.
    fn allocate(&mut self, length: Word) -> Option<Word>;

    fn bytes(&mut self, address: Word, length: Word) -> HostResult<Vec<u8>> {
        self.read(address, length)
            .ok_or(Status::InvalidMemoryAccess)
    }

    fn text(&mut self, address: Word, length: Word) -> HostResult<String> {
        Ok(String::from_utf8_lossy(&self.bytes(address, length)?).into_owned())
    }

    fn put(&mut self, address: Word, bytes: &[u8]) -> HostResult {
        self.write(address, bytes)
            .ok_or(Status::InvalidMemoryAccess)
    }

    /// Returns bytes to the guest in memory that it owns. No bytes are a null pointer and a zero.
    fn hand_over(&mut self, bytes: &[u8], data: Word, size: Word) -> HostResult {
        let replacement = self.host().replacement.take();
        let bytes = replacement.as_deref().unwrap_or(bytes);
        let length = bytes.len() as Word;
        let address = if bytes.is_empty() {
            0
        } else {
            let address = self.allocate(length).ok_or(Status::InvalidMemoryAccess)?;
            self.put(address, bytes)?;
            address
        };
        self.write_word(data, address)
            .ok_or(Status::InvalidMemoryAccess)?;
        self.write_word(size, length)
            .ok_or(Status::InvalidMemoryAccess)
    }
}
