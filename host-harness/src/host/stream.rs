//! One downstream connection as its filters see it: stream info and data buffers.

use super::buffer::Buffer;
use crate::abi::BufferType;
use crate::stream_info::StreamInfo;

/// A stream: its information and the two data buffers.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) info: StreamInfo,
    /// The read buffer of the downstream connection.
    pub(crate) downstream: Buffer,
    /// The read buffer of the upstream connection, before it is written downstream.
    pub(crate) upstream: Buffer,
}

impl Stream {
    pub(crate) fn new(info: StreamInfo) -> Self {
        Self {
            info,
            downstream: Buffer::default(),
            upstream: Buffer::default(),
        }
    }
}

/// The data buffers that a filter can access. All filters of a chain share the stream; each has its
/// own access.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Access {
    downstream: bool,
    upstream: bool,
}

impl Access {
    pub(super) fn set(&mut self, buffer: BufferType, accessible: bool) {
        match buffer {
            BufferType::DownstreamData => self.downstream = accessible,
            BufferType::UpstreamData => self.upstream = accessible,
            _ => {}
        }
    }

    pub(super) fn read(self, stream: &Stream, buffer: BufferType) -> Option<&Buffer> {
        match buffer {
            BufferType::DownstreamData if self.downstream => Some(&stream.downstream),
            BufferType::UpstreamData if self.upstream => Some(&stream.upstream),
            _ => None,
        }
    }

    pub(super) fn edit(self, stream: &mut Stream, buffer: BufferType) -> Option<&mut Buffer> {
        match buffer {
            BufferType::DownstreamData if self.downstream => Some(&mut stream.downstream),
            BufferType::UpstreamData if self.upstream => Some(&mut stream.upstream),
            _ => None,
        }
    }
}
