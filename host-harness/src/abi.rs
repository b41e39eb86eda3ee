//! The proxy-wasm ABI: numbers as the C++ host names them (`proxy-wasm/proxy_wasm_enums.h`),
//! callbacks and host functions.

mod callback;
mod hostcall;

use std::fmt;

pub(crate) use callback::{Callback, CallbackOutcome};
pub(crate) use hostcall::{Hostcall, for_each_hostcall};

/// The ABI version that a module declares by exporting `proxy_abi_version_X_Y_Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum AbiVersion {
    /// `proxy_abi_version_0_1_0`, exported by the C++ SDK of Envoy 1.16 to 1.20.
    V0_1_0,
    /// `proxy_abi_version_0_2_0`.
    V0_2_0,
    /// `proxy_abi_version_0_2_1`, exported by the current SDKs.
    V0_2_1,
}

impl AbiVersion {
    /// Returns the version that an export of this name declares.
    pub fn from_export(name: &str) -> Option<Self> {
        match name {
            "proxy_abi_version_0_1_0" => Some(Self::V0_1_0),
            "proxy_abi_version_0_2_0" => Some(Self::V0_2_0),
            "proxy_abi_version_0_2_1" => Some(Self::V0_2_1),
            _ => None,
        }
    }
}

impl fmt::Display for AbiVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V0_1_0 => "0.1.0",
            Self::V0_2_0 => "0.2.0",
            Self::V0_2_1 => "0.2.1",
        })
    }
}

/// The status that a host function returns (`WasmResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the ABI's")]
#[non_exhaustive]
pub enum Status {
    Ok,
    NotFound,
    BadArgument,
    SerializationFailure,
    ParseFailure,
    BadExpression,
    InvalidMemoryAccess,
    Empty,
    CasMismatch,
    ResultMismatch,
    InternalFailure,
    BrokenConnection,
    Unimplemented,
    /// A number without a name in the ABI, as a newer host may return.
    Other(u32),
}

impl Status {
    /// The statuses with a name, in the order of their numbers.
    const NAMED: [Self; 13] = [
        Self::Ok,
        Self::NotFound,
        Self::BadArgument,
        Self::SerializationFailure,
        Self::ParseFailure,
        Self::BadExpression,
        Self::InvalidMemoryAccess,
        Self::Empty,
        Self::CasMismatch,
        Self::ResultMismatch,
        Self::InternalFailure,
        Self::BrokenConnection,
        Self::Unimplemented,
    ];

    /// The number that the guest receives.
    pub fn number(self) -> u32 {
        match self {
            Self::Other(number) => number,
            named => (0..)
                .zip(Self::NAMED)
                .find_map(|(number, status)| (status == named).then_some(number))
                .unwrap_or(u32::MAX),
        }
    }
}

impl From<u32> for Status {
    fn from(number: u32) -> Self {
        let named = usize::try_from(number).ok();
        let named = named.and_then(|number| Self::NAMED.get(number).copied());
        named.unwrap_or(Self::Other(number))
    }
}

/// The result of a host function: a value for the guest, or an error status.
pub(crate) type HostResult<T = ()> = Result<T, Status>;

/// The buffers of the ABI (`WasmBufferType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufferType {
    DownstreamData,
    UpstreamData,
    VmConfiguration,
    PluginConfiguration,
    /// HTTP bodies and foreign call data: always present, and empty for a network filter.
    Empty,
    /// The response of a gRPC call: never present, as gRPC calls fail.
    GrpcReceived,
}

impl TryFrom<u32> for BufferType {
    type Error = Status;

    fn try_from(value: u32) -> Result<Self, Status> {
        match value {
            2 => Ok(Self::DownstreamData),
            3 => Ok(Self::UpstreamData),
            6 => Ok(Self::VmConfiguration),
            7 => Ok(Self::PluginConfiguration),
            0 | 1 | 5 | 8 => Ok(Self::Empty),
            4 => Ok(Self::GrpcReceived),
            _ => Err(Status::BadArgument),
        }
    }
}

/// The direction of a stream (`WasmStreamType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StreamType {
    Downstream,
    Upstream,
    /// HTTP request and response.
    Http,
}

impl TryFrom<u32> for StreamType {
    type Error = Status;

    fn try_from(value: u32) -> Result<Self, Status> {
        match value {
            0 | 1 => Ok(Self::Http),
            2 => Ok(Self::Downstream),
            3 => Ok(Self::Upstream),
            _ => Err(Status::BadArgument),
        }
    }
}

/// The side that closed a connection: the argument of `proxy_on_*_connection_close` (`CloseType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum PeerType {
    /// Unknown; always for an upstream close, which Envoy derives from `end_of_stream`.
    Unknown = 0,
    /// The proxy closed.
    Local = 1,
    /// The other side closed.
    Remote = 2,
}

/// The type of a metric (`MetricType`), which is also in the low two bits of a metric id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the ABI's")]
pub enum MetricType {
    Counter = 0,
    Gauge = 1,
    Histogram = 2,
}

impl TryFrom<u32> for MetricType {
    type Error = Status;

    fn try_from(value: u32) -> Result<Self, Status> {
        match value {
            0 => Ok(Self::Counter),
            1 => Ok(Self::Gauge),
            2 => Ok(Self::Histogram),
            _ => Err(Status::BadArgument),
        }
    }
}

/// The level of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "the names are the ABI's")]
pub enum LogLevel {
    Trace,
    Debug,
    Info,
    Warn,
    Error,
    Critical,
}

impl TryFrom<u32> for LogLevel {
    type Error = Status;

    fn try_from(value: u32) -> Result<Self, Status> {
        [
            Self::Trace,
            Self::Debug,
            Self::Info,
            Self::Warn,
            Self::Error,
            Self::Critical,
        ]
        .get(value as usize)
        .copied()
        .ok_or(Status::BadArgument)
    }
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Trace => "trace",
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
        })
    }
}

/// A length as the ABI passes it. Guest memory has 32 bits, so no length is cut in practice.
pub(crate) fn length(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
