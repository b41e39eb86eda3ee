//! What the core asks of its host, in proxy-wasm's terms.
//!
//! The core never talks to Envoy: it talks to this trait. The shell implements it with
//! proxy-wasm's hostcalls, the unit tests with a fake. Every call may fail and none may panic.

use std::fmt;
use std::time::Duration;

/// A host's refusal: the proxy-wasm status of a hostcall that did not succeed.
///
/// Kept as the raw number because hosts may answer with numbers that no SDK names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Status(pub u32);

impl Status {
    /// The host has no such property, metric or function.
    pub const NOT_FOUND: Self = Self(1);
    /// An argument was out of range, or the buffer is not to be had in this callback.
    pub const BAD_ARGUMENT: Self = Self(2);
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.0 {
            1 => "NotFound",
            2 => "BadArgument",
            3 => "SerializationFailure",
            4 => "ParseFailure",
            5 => "BadExpression",
            6 => "InvalidMemoryAccess",
            7 => "Empty",
            8 => "CasMismatch",
            9 => "ResultMismatch",
            10 => "InternalFailure",
            11 => "BrokenConnection",
            12 => "Unimplemented",
            _ => "unknown status",
        };
        write!(f, "{name} ({})", self.0)
    }
}

/// The stream buffer of the data callback that is running.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Buffer {
    /// Bytes from the client on their way to the upstream (`on_downstream_data`).
    Downstream,
    /// Bytes from the upstream on their way to the client (`on_upstream_data`).
    Upstream,
}

/// The id of a stream context, as the host numbers them.
pub type ContextId = u32;

/// The id of a defined metric, as the host numbers them (per VM).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MetricId(pub u32);

/// What kind of a stat a metric is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MetricKind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Collects values into buckets.
    Histogram,
}

/// The hostcalls that the core makes.
pub trait Host {
    /// Reads a property ("attribute") by its path, whose parts are separated by NUL, as proxy-wasm
    /// wants it; `None` when the host has none of that name.
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status>;

    /// Sets a property of the connection, which other filters find in the filter state under
    /// `wasm.` and this name.
    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Status>;

    /// Copies up to `len` bytes from `start` on out of the running callback's buffer.
    fn buffer(&self, buffer: Buffer, start: usize, len: usize) -> Result<Vec<u8>, Status>;

    /// Replaces the first `len` bytes of the running callback's buffer: `(0, b"x")` prepends,
    /// `(n, b"")` drains `n` bytes.
    fn replace_front(&self, buffer: Buffer, len: usize, with: &[u8]) -> Result<(), Status>;

    /// Defines a metric. Envoy mints a new id on every call, so callers keep what they get.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, Status>;

    /// Adds to a counter, or to a gauge, which also goes down. Envoy refuses to add 0.
    fn increment(&self, id: MetricId, by: i64) -> Result<(), Status>;

    /// Hands a value to a histogram, or sets a gauge.
    fn record(&self, id: MetricId, value: u64) -> Result<(), Status>;

    /// Asks for a tick every `period` (milliseconds resolution; zero turns the tick off).
    fn set_tick_period(&self, period: Duration) -> Result<(), Status>;

    /// The time of day, as the time since the Unix epoch.
    fn now(&self) -> Result<Duration, Status>;

    /// Calls one of the host's foreign functions.
    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>, Status>;

    /// Makes `id` the context whose properties the following calls see.
    fn set_effective_context(&self, id: ContextId) -> Result<(), Status>;

    /// Closes the connection that the running callback belongs to.
    fn close_connection(&self) -> Result<(), Status>;
}
