//! The hostcalls, in proxy-wasm's terms.
//!
//! The core calls its host through this trait only. The shell implements it with proxy-wasm's
//! hostcalls, the unit tests with a fake. Every call may fail and none may panic.

use std::time::Duration;

use super::status::Status;

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

/// The kind of a stat.
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
    /// Returns a property ("attribute") by its path, whose parts are separated by NUL; `None` if
    /// the host has no property of that name.
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status>;

    /// Sets a property of the connection. Other filters find it in the filter state under `wasm.`
    /// and this name.
    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Status>;

    /// Returns up to `len` bytes of the running callback's buffer, beginning at `start`.
    fn buffer(&self, buffer: Buffer, start: usize, len: usize) -> Result<Vec<u8>, Status>;

    /// Replaces the first `len` bytes of the running callback's buffer: `(0, b"x")` prepends,
    /// `(n, b"")` drains `n` bytes.
    fn replace_front(&self, buffer: Buffer, len: usize, with: &[u8]) -> Result<(), Status>;

    /// Defines a metric. Envoy returns a new id on every call, so callers keep the id.
    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, Status>;

    /// Adds to a counter, or to a gauge, which also goes down. Envoy refuses to add 0.
    fn increment(&self, id: MetricId, by: i64) -> Result<(), Status>;

    /// Records a value of a histogram, or sets a gauge.
    fn record(&self, id: MetricId, value: u64) -> Result<(), Status>;

    /// Sets the period of `on_tick`, in whole milliseconds; zero turns the tick off.
    fn set_tick_period(&self, period: Duration) -> Result<(), Status>;

    /// Returns the time since the Unix epoch.
    fn now(&self) -> Result<Duration, Status>;

    /// Returns a value that all VMs with the same id share, and the number of its version; `None` if
    /// it was never set.
    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status>;

    /// Sets a shared value if its version is still `version`, else returns
    /// [`Status::CAS_MISMATCH`]; 0 sets it whatever its version is.
    fn set_shared_data(&self, key: &str, value: &[u8], version: u32) -> Result<(), Status>;

    /// Calls one of the host's foreign functions.
    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>, Status>;

    /// Makes `id` the effective context: the following calls read its properties.
    fn set_effective_context(&self, id: ContextId) -> Result<(), Status>;

    /// Closes the connection that the running callback belongs to.
    fn close_connection(&self) -> Result<(), Status>;
}
