//! Root and stream contexts.

use std::cell::RefCell;
use std::rc::Rc;

use super::buffer::Buffer;
use super::stream::{Access, Stream};
use crate::abi::{BufferType, HostResult, Status};
use crate::config::Plugin;

/// A root or stream context.
#[derive(Debug)]
pub(crate) struct Context {
    /// The id of the root context; for a root context its own id.
    pub(crate) root: u32,
    pub(crate) plugin: Rc<Plugin>,
    /// `None` for a root context.
    pub(crate) stream: Option<Rc<RefCell<Stream>>>,
    /// The accessible data buffers: from the callback on, until a callback returns Continue.
    pub(crate) access: Access,
}

impl Context {
    pub(crate) fn root(id: u32, plugin: Rc<Plugin>) -> Self {
        Self {
            root: id,
            plugin,
            stream: None,
            access: Access::default(),
        }
    }

    pub(crate) fn stream(root: u32, plugin: Rc<Plugin>, stream: Rc<RefCell<Stream>>) -> Self {
        Self {
            root,
            plugin,
            stream: Some(stream),
            access: Access::default(),
        }
    }

    /// Reads a data buffer; an inaccessible one is empty.
    pub(crate) fn read_data<T>(&self, buffer: BufferType, read: impl FnOnce(&[u8]) -> T) -> T {
        let stream = self.stream.as_ref().map(|stream| stream.borrow());
        let buffer = stream
            .as_ref()
            .and_then(|stream| self.access.read(stream, buffer));
        read(buffer.map(Buffer::as_slice).unwrap_or_default())
    }

    /// Replaces a range of a data buffer.
    ///
    /// # Errors
    /// `BadArgument` if the buffer is inaccessible or the range is not allowed.
    pub(crate) fn write_data(
        &self,
        buffer: BufferType,
        start: usize,
        length: usize,
        data: &[u8],
    ) -> HostResult {
        let stream = self.stream.as_ref().ok_or(Status::BadArgument)?;
        let mut stream = stream.borrow_mut();
        let buffer = self.access.edit(&mut stream, buffer);
        buffer
            .ok_or(Status::BadArgument)?
            .copy_from(start, length, data)
    }
}
