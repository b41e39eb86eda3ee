//! One downstream connection as its filter sees it: buffers and stream info.

use super::Buffer;
use crate::abi::BufferType;
use crate::property::{Cluster, FilterState, UpstreamHost};

/// What one side of a TLS connection knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    pub(crate) version: String,
    pub(crate) server_name: String,
    pub(crate) local_san: Option<String>,
    pub(crate) peer_san: Option<String>,
}

impl Tls {
    /// Both sides show a certificate: the own URI SAN and the peer's.
    pub fn mutual(local_san: impl Into<String>, peer_san: impl Into<String>) -> Self {
        Self {
            local_san: Some(local_san.into()),
            peer_san: Some(peer_san.into()),
            ..Self::anonymous()
        }
    }

    /// TLS without a URI SAN on either side.
    pub fn anonymous() -> Self {
        Self {
            version: "TLSv1.3".into(),
            server_name: String::new(),
            local_san: None,
            peer_san: None,
        }
    }

    /// The URI SAN of the own certificate.
    #[must_use]
    pub fn local_san(mut self, san: Option<String>) -> Self {
        self.local_san = san;
        self
    }

    /// The URI SAN of the peer's certificate.
    #[must_use]
    pub fn peer_san(mut self, san: Option<String>) -> Self {
        self.peer_san = san;
        self
    }

    /// The protocol version, `TLSv1.3` by default.
    #[must_use]
    pub fn version(mut self, version: impl Into<String>) -> Self {
        self.version = version.into();
        self
    }

    /// The server name the client asked for (SNI).
    #[must_use]
    pub fn server_name(mut self, name: impl Into<String>) -> Self {
        self.server_name = name.into();
        self
    }
}

/// What tcp_proxy chose, from the moment it chose it.
#[derive(Debug, Clone)]
pub(crate) struct Upstream {
    pub(crate) cluster: Cluster,
    pub(crate) host: UpstreamHost,
    /// The upstream handshake is over before the first downstream data is delivered.
    pub(crate) tls: Option<Tls>,
    /// What the connection to it has in filter state.
    pub(crate) filter_state: FilterState,
}

/// Envoy's `StreamInfo`, as far as a network filter can read it.
#[derive(Debug, Clone)]
pub(crate) struct StreamInfo {
    pub(crate) connection_id: u64,
    pub(crate) source: String,
    pub(crate) destination: String,
    pub(crate) filter_chain_name: String,
    pub(crate) downstream_tls: Option<Tls>,
    pub(crate) handshake_done: bool,
    pub(crate) upstream: Option<Upstream>,
    pub(crate) response_flags: i64,
    pub(crate) upstream_failure: Option<String>,
    pub(crate) filter_state: FilterState,
}

/// A stream: what [`StreamInfo`] says, and the two buffers a filter may reach.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) info: StreamInfo,
    /// The downstream connection's read buffer.
    pub(crate) downstream: Buffer,
    /// The upstream connection's read buffer, on its way into the downstream connection.
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

/// Which of the stream's two buffers a filter can reach. The stream is the whole chain's, this is each filter's own.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Reach {
    downstream: bool,
    upstream: bool,
}

impl Reach {
    pub(super) fn of(&mut self, which: BufferType) -> Option<&mut bool> {
        match which {
            BufferType::DownstreamData => Some(&mut self.downstream),
            BufferType::UpstreamData => Some(&mut self.upstream),
            _ => None,
        }
    }

    pub(super) fn read(self, stream: &Stream, which: BufferType) -> Option<&Buffer> {
        match which {
            BufferType::DownstreamData if self.downstream => Some(&stream.downstream),
            BufferType::UpstreamData if self.upstream => Some(&stream.upstream),
            _ => None,
        }
    }

    pub(super) fn edit(self, stream: &mut Stream, which: BufferType) -> Option<&mut Buffer> {
        match which {
            BufferType::DownstreamData if self.downstream => Some(&mut stream.downstream),
            BufferType::UpstreamData if self.upstream => Some(&mut stream.upstream),
            _ => None,
        }
    }
}
