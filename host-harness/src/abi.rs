//! The numbers of the proxy-wasm ABI, as the C++ host names them (`proxy-wasm/proxy_wasm_enums.h`).

use std::fmt;

/// The version a module declares by exporting `proxy_abi_version_X_Y_Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AbiVersion {
    /// `proxy_abi_version_0_1_0`: what the C++ SDK of Envoy 1.16–1.20 exports.
    V0_1_0,
    /// `proxy_abi_version_0_2_0`.
    V0_2_0,
    /// `proxy_abi_version_0_2_1`: what the current SDKs export.
    V0_2_1,
}

impl AbiVersion {
    /// The version that an export of this name declares, if it declares one.
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

/// What a host function answers (`WasmResult`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[allow(missing_docs, reason = "the names are the ABI's and say it all")]
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
    /// A number that the ABI does not name, of a host newer than it.
    Other(u32),
}

impl Status {
    /// Those with a name, by their numbers.
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

    /// The number that the guest gets.
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

/// The outcome of a host function: a value for the guest, or the status that says why there is none.
pub(crate) type HostResult<T = ()> = Result<T, Status>;

/// Which buffer a filter asks for (`WasmBufferType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BufferType {
    DownstreamData,
    UpstreamData,
    VmConfiguration,
    PluginConfiguration,
    /// HTTP bodies and foreign call data: there for every filter, and empty for a network filter.
    Empty,
    /// What a gRPC call received: never there without one.
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

/// Which half of a stream a filter means (`WasmStreamType`).
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

/// Who closed a connection, as `proxy_on_*_connection_close` is told (`CloseType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub enum PeerType {
    /// Envoy does not know: always so for an upstream close, which it derives from `end_of_stream`.
    Unknown = 0,
    /// The proxy closed.
    Local = 1,
    /// The other side closed.
    Remote = 2,
}

/// What a metric is (`MetricType`); the low two bits of a metric id say it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u32)]
#[allow(missing_docs, reason = "the names are the ABI's and say it all")]
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
#[allow(missing_docs, reason = "the names are the ABI's and say it all")]
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
