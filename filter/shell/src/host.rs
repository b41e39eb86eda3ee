//! The raw hostcalls: every status is returned as the host's number.
//!
//! The only file with `unsafe`. Each call passes pointers to live slices and to local
//! out-parameters. The host allocates the bytes that it returns with the guest's
//! `proxy_on_memory_allocate` (the SDK's, a `Vec` of exactly the requested capacity), and they
//! become such a `Vec` again.
#![allow(unsafe_code)]

use std::ptr;
use std::time::Duration;

use tcp_peer_stats_core::host::{Buffer, ContextId, Host, HostError, MetricId, MetricKind, Status};

unsafe extern "C" {
    fn proxy_log(level: u32, message: *const u8, size: usize) -> u32;
    fn proxy_get_property(
        path: *const u8,
        path_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
    ) -> u32;
    fn proxy_set_property(
        path: *const u8,
        path_size: usize,
        value: *const u8,
        value_size: usize,
    ) -> u32;
    fn proxy_get_buffer_bytes(
        buffer: u32,
        start: usize,
        max_size: usize,
        bytes: *mut *mut u8,
        bytes_size: *mut usize,
    ) -> u32;
    fn proxy_set_buffer_bytes(
        buffer: u32,
        start: usize,
        size: usize,
        bytes: *const u8,
        bytes_size: usize,
    ) -> u32;
    fn proxy_define_metric(kind: u32, name: *const u8, name_size: usize, id: *mut u32) -> u32;
    fn proxy_increment_metric(id: u32, offset: i64) -> u32;
    fn proxy_record_metric(id: u32, value: u64) -> u32;
    fn proxy_set_tick_period_milliseconds(period: u32) -> u32;
    fn proxy_get_current_time_nanoseconds(time: *mut u64) -> u32;
    fn proxy_call_foreign_function(
        name: *const u8,
        name_size: usize,
        argument: *const u8,
        argument_size: usize,
        result: *mut *mut u8,
        result_size: *mut usize,
    ) -> u32;
    fn proxy_get_shared_data(
        key: *const u8,
        key_size: usize,
        value: *mut *mut u8,
        value_size: *mut usize,
        version: *mut u32,
    ) -> u32;
    fn proxy_set_shared_data(
        key: *const u8,
        key_size: usize,
        value: *const u8,
        value_size: usize,
        version: u32,
    ) -> u32;
    fn proxy_set_effective_context(id: u32) -> u32;
    fn proxy_close_stream(stream: u32) -> u32;
}

/// proxy-wasm's numbers of the buffers.
const DOWNSTREAM_DATA: u32 = 2;
const UPSTREAM_DATA: u32 = 3;
const PLUGIN_CONFIGURATION: u32 = 7;

/// proxy-wasm's number of the downstream stream. In Envoy both streams of a network filter are its
/// one downstream connection.
const DOWNSTREAM: u32 = 2;

/// The host that this module runs in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProxyWasm;

impl Host for ProxyWasm {
    fn property(&self, path: &str) -> Result<Option<Vec<u8>>, Status> {
        let property = returned(|value, size| {
            // SAFETY: `path` outlives the call; see the module for the out-parameters.
            unsafe { proxy_get_property(path.as_ptr(), path.len(), value, size) }
        });
        match property {
            Err(Status::NOT_FOUND) => Ok(None),
            property => property.map(Some),
        }
    }

    fn set_property(&self, name: &str, value: &[u8]) -> Result<(), Status> {
        // SAFETY: `name` and `value` outlive the call.
        done(unsafe { proxy_set_property(name.as_ptr(), name.len(), value.as_ptr(), value.len()) })
    }

    fn buffer(&self, buffer: Buffer, start: usize, len: usize) -> Result<Vec<u8>, Status> {
        buffer_bytes(number(buffer), start, len)
    }

    fn replace_front(&self, buffer: Buffer, len: usize, with: &[u8]) -> Result<(), Status> {
        // SAFETY: `with` outlives the call.
        done(unsafe { proxy_set_buffer_bytes(number(buffer), 0, len, with.as_ptr(), with.len()) })
    }

    fn define_metric(&self, kind: MetricKind, name: &str) -> Result<MetricId, Status> {
        let kind = match kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 2,
        };
        let mut id = 0;
        // SAFETY: `name` and `id` outlive the call.
        done(unsafe { proxy_define_metric(kind, name.as_ptr(), name.len(), &mut id) })?;
        Ok(MetricId(id))
    }

    fn increment(&self, id: MetricId, by: i64) -> Result<(), Status> {
        // SAFETY: numbers only.
        done(unsafe { proxy_increment_metric(id.0, by) })
    }

    fn record(&self, id: MetricId, value: u64) -> Result<(), Status> {
        // SAFETY: numbers only.
        done(unsafe { proxy_record_metric(id.0, value) })
    }

    fn set_tick_period(&self, period: Duration) -> Result<(), Status> {
        let millis = u32::try_from(period.as_millis()).unwrap_or(u32::MAX);
        // SAFETY: numbers only.
        done(unsafe { proxy_set_tick_period_milliseconds(millis) })
    }

    fn now(&self) -> Result<Duration, Status> {
        let mut nanos = 0;
        // SAFETY: `nanos` outlives the call.
        done(unsafe { proxy_get_current_time_nanoseconds(&mut nanos) })?;
        Ok(Duration::from_nanos(nanos))
    }

    fn shared_data(&self, key: &str) -> Result<Option<(Vec<u8>, u32)>, Status> {
        let mut version = 0;
        let value = returned(|value, size| {
            // SAFETY: `key` and `version` outlive the call; see the module for the rest.
            unsafe { proxy_get_shared_data(key.as_ptr(), key.len(), value, size, &mut version) }
        });
        match value {
            Err(Status::NOT_FOUND) => Ok(None),
            value => Ok(Some((value?, version))),
        }
    }

    fn set_shared_data(&self, key: &str, value: &[u8], version: u32) -> Result<(), Status> {
        // SAFETY: `key` and `value` outlive the call.
        done(unsafe {
            proxy_set_shared_data(
                key.as_ptr(),
                key.len(),
                value.as_ptr(),
                value.len(),
                version,
            )
        })
    }

    fn call_foreign_function(&self, name: &str, argument: &[u8]) -> Result<Vec<u8>, Status> {
        returned(|result, size| {
            // SAFETY: `name` and `argument` outlive the call; see the module for the rest.
            unsafe {
                proxy_call_foreign_function(
                    name.as_ptr(),
                    name.len(),
                    argument.as_ptr(),
                    argument.len(),
                    result,
                    size,
                )
            }
        })
    }

    fn set_effective_context(&self, id: ContextId) -> Result<(), Status> {
        // SAFETY: numbers only.
        done(unsafe { proxy_set_effective_context(id) })
    }

    fn close_connection(&self) -> Result<(), Status> {
        // SAFETY: numbers only.
        done(unsafe { proxy_close_stream(DOWNSTREAM) })
    }
}

/// Returns the `size` bytes of the plugin's configuration.
///
/// # Errors
/// The hostcall failed, or returned only a part of them.
pub(crate) fn plugin_configuration(size: usize) -> Result<Vec<u8>, HostError> {
    if size == 0 {
        return Ok(Vec::new());
    }
    HostError::check_length(buffer_bytes(PLUGIN_CONFIGURATION, 0, size)?, size)
}

/// Writes a line to the host's log. A failure is ignored.
pub(crate) fn log(level: u32, message: &str) {
    // SAFETY: `message` outlives the call.
    let _ = unsafe { proxy_log(level, message.as_ptr(), message.len()) };
}

fn number(buffer: Buffer) -> u32 {
    match buffer {
        Buffer::Downstream => DOWNSTREAM_DATA,
        Buffer::Upstream => UPSTREAM_DATA,
    }
}

fn buffer_bytes(buffer: u32, start: usize, max: usize) -> Result<Vec<u8>, Status> {
    // SAFETY: numbers; see the module for the out-parameters.
    returned(|bytes, size| unsafe { proxy_get_buffer_bytes(buffer, start, max, bytes, size) })
}

fn done(status: u32) -> Result<(), Status> {
    if status == 0 {
        Ok(())
    } else {
        Err(Status(status))
    }
}

/// Makes a hostcall that returns bytes.
fn returned(call: impl FnOnce(*mut *mut u8, *mut usize) -> u32) -> Result<Vec<u8>, Status> {
    let mut data = ptr::null_mut();
    let mut size = 0;
    done(call(&mut data, &mut size))?;
    if data.is_null() {
        return Ok(Vec::new());
    }
    // SAFETY: the host allocated `data` with `proxy_on_memory_allocate(size)` and does not keep it.
    Ok(unsafe { Vec::from_raw_parts(data, size, size) })
}
