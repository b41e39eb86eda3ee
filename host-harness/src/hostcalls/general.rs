//! Host functions that are about the plugin: log, time, properties, metrics, shared data.

use super::{Guest, Word};
use crate::abi::{BufferType, HostResult, LogLevel, MetricType, Status};
use std::time::Duration;

pub(crate) fn proxy_log(guest: &mut impl Guest, level: u32, data: Word, size: Word) -> HostResult {
    let message = guest.text(data, size)?;
    let level = LogLevel::try_from(level)?;
    let mut host = guest.host();
    host.trace.detail(|| format!("{level}: {message}"));
    host.log(level, message);
    Ok(())
}

pub(crate) fn proxy_get_log_level(guest: &mut impl Guest, level: Word) -> HostResult {
    guest.put(level, &(LogLevel::Trace as u32).to_le_bytes())
}

pub(crate) fn proxy_get_current_time_nanoseconds(guest: &mut impl Guest, time: Word) -> HostResult {
    let now = guest.host().process.clock.now();
    let nanoseconds = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
    guest.put(time, &nanoseconds.to_le_bytes())
}

pub(crate) fn proxy_set_tick_period_milliseconds(
    guest: &mut impl Guest,
    period: u32,
) -> HostResult {
    let mut host = guest.host();
    host.trace.detail(|| format!("{period} ms"));
    host.set_tick_period(Duration::from_millis(period.into()))
}

pub(crate) fn proxy_set_effective_context(guest: &mut impl Guest, context: u32) -> HostResult {
    guest.host().set_effective_context(context)
}

pub(crate) fn proxy_done(guest: &mut impl Guest) -> HostResult {
    guest.host().done()
}

/// The status of the last HTTP or gRPC call: a network filter without calls reads OK and no message.
pub(crate) fn proxy_get_status(
    guest: &mut impl Guest,
    code: Word,
    data: Word,
    size: Word,
) -> HostResult {
    guest.put(code, &0_u32.to_le_bytes())?;
    guest.hand_over(&[], data, size)
}

/// ABI 0.1.0's way to the plugin's configuration, or to the VM's outside of `proxy_on_configure`.
pub(crate) fn proxy_get_configuration(
    guest: &mut impl Guest,
    data: Word,
    size: Word,
) -> HostResult {
    let bytes = {
        let host = guest.host();
        host.get_buffer(BufferType::PluginConfiguration, 0, u64::MAX)
            .or_else(|_| host.get_buffer(BufferType::VmConfiguration, 0, u64::MAX))?
    };
    guest.hand_over(&bytes, data, size)
}

pub(crate) fn proxy_get_property(
    guest: &mut impl Guest,
    path: Word,
    path_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let path = guest.text(path, path_size)?;
    let value = {
        let mut host = guest.host();
        host.trace.detail(|| path.replace('\0', "."));
        let value = host.get_property(&path);
        if value == Err(Status::NotFound) {
            let path = path.trim_end_matches('\0').replace('\0', ".");
            host.trace.missing_property(&path);
        }
        value?
    };
    guest.hand_over(&value, data, size)
}

pub(crate) fn proxy_set_property(
    guest: &mut impl Guest,
    path: Word,
    path_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let path = guest.text(path, path_size)?;
    let value = guest.bytes(data, size)?;
    let mut host = guest.host();
    host.trace
        .detail(|| format!("{} = {} bytes", path.replace('\0', "."), value.len()));
    host.set_property(&path, value)
}

pub(crate) fn proxy_define_metric(
    guest: &mut impl Guest,
    kind: u32,
    name: Word,
    name_size: Word,
    id: Word,
) -> HostResult {
    let name = guest.text(name, name_size)?;
    let kind = MetricType::try_from(kind)?;
    let metric = {
        let mut host = guest.host();
        let metric = host.define_metric(kind, &name);
        host.trace.detail(|| format!("{kind:?} {name} → {metric}"));
        metric
    };
    guest.put(id, &metric.to_le_bytes())
}

pub(crate) fn proxy_increment_metric(guest: &mut impl Guest, id: u32, offset: u64) -> HostResult {
    let offset = offset.cast_signed();
    let mut host = guest.host();
    host.trace.detail(|| format!("{id} by {offset}"));
    host.increment_metric(id, offset)
}

pub(crate) fn proxy_record_metric(guest: &mut impl Guest, id: u32, value: u64) -> HostResult {
    let mut host = guest.host();
    host.trace.detail(|| format!("{id} = {value}"));
    host.record_metric(id, value)
}

pub(crate) fn proxy_get_metric(guest: &mut impl Guest, id: u32, value: Word) -> HostResult {
    let found = guest.host().get_metric(id)?;
    guest.put(value, &found.to_le_bytes())
}

pub(crate) fn proxy_get_shared_data(
    guest: &mut impl Guest,
    key: Word,
    key_size: Word,
    data: Word,
    size: Word,
    cas: Word,
) -> HostResult {
    let key = guest.bytes(key, key_size)?;
    let (value, number) = guest.host().get_shared_data(&key)?;
    guest.hand_over(&value, data, size)?;
    guest.put(cas, &number.to_le_bytes())
}

pub(crate) fn proxy_set_shared_data(
    guest: &mut impl Guest,
    key: Word,
    key_size: Word,
    data: Word,
    size: Word,
    cas: u32,
) -> HostResult {
    let key = guest.bytes(key, key_size)?;
    let value = guest.bytes(data, size)?;
    guest.host().set_shared_data(&key, value, cas)
}

pub(crate) fn proxy_register_shared_queue(
    guest: &mut impl Guest,
    name: Word,
    name_size: Word,
    token: Word,
) -> HostResult {
    let name = guest.bytes(name, name_size)?;
    let found = guest.host().register_shared_queue(&name)?;
    guest.put(token, &found.to_le_bytes())
}

pub(crate) fn proxy_resolve_shared_queue(
    guest: &mut impl Guest,
    vm: Word,
    vm_size: Word,
    name: Word,
    name_size: Word,
    token: Word,
) -> HostResult {
    let vm = guest.text(vm, vm_size)?;
    let name = guest.bytes(name, name_size)?;
    let found = guest.host().resolve_shared_queue(&vm, &name)?;
    guest.put(token, &found.to_le_bytes())
}

pub(crate) fn proxy_enqueue_shared_queue(
    guest: &mut impl Guest,
    token: u32,
    data: Word,
    size: Word,
) -> HostResult {
    let value = guest.bytes(data, size)?;
    guest.host().enqueue(token, value)
}

pub(crate) fn proxy_dequeue_shared_queue(
    guest: &mut impl Guest,
    token: u32,
    data: Word,
    size: Word,
) -> HostResult {
    let value = guest.host().dequeue(token)?;
    guest.hand_over(&value, data, size)
}

/// A filter that does not want the result passes null pointers for it.
pub(crate) fn proxy_call_foreign_function(
    guest: &mut impl Guest,
    name: Word,
    name_size: Word,
    argument: Word,
    argument_size: Word,
    data: Word,
    size: Word,
) -> HostResult {
    let name = guest.text(name, name_size)?;
    let argument = guest.bytes(argument, argument_size)?;
    guest.host().trace.detail(|| name.clone());
    let result = guest.host().call_foreign_function(&name, &argument)?;
    if data == 0 || size == 0 {
        return Ok(());
    }
    guest.hand_over(&result, data, size)
}

macro_rules! without_http {
    ($status:ident: $($name:ident($($type:ty),*);)*) => {
        $(#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
        pub(crate) fn $name(_: &mut impl Guest, $(_: $type),*) -> HostResult {
            Err(Status::$status)
        })*
    };
}

// A network filter has no header maps: Envoy finds none and answers so.
without_http! { BadArgument:
    proxy_set_header_map_pairs(u32, Word, Word);
    proxy_get_header_map_value(u32, Word, Word, Word, Word);
    proxy_replace_header_map_value(u32, Word, Word, Word, Word);
    proxy_add_header_map_value(u32, Word, Word, Word, Word);
    proxy_remove_header_map_value(u32, Word, Word);
    proxy_get_header_map_size(u32, Word);
}

// No cluster of the emulated Envoy takes HTTP or gRPC calls.
without_http! { BadArgument:
    proxy_http_call(Word, Word, Word, Word, Word, Word, Word, Word, u32, Word);
    proxy_grpc_send(u32, Word, Word, u32);
    proxy_grpc_cancel(u32);
    proxy_grpc_close(u32);
}
without_http! { InternalFailure:
    proxy_grpc_call(Word, Word, Word, Word, Word, Word, Word, Word, Word, Word, u32, Word);
    proxy_grpc_stream(Word, Word, Word, Word, Word, Word, Word, Word, Word);
}

/// No map is an empty one here.
pub(crate) fn proxy_get_header_map_pairs(
    guest: &mut impl Guest,
    _: u32,
    data: Word,
    size: Word,
) -> HostResult {
    guest.hand_over(&[], data, size)
}

/// Without an HTTP stream there is nobody to answer: Envoy says Ok and does nothing.
#[allow(clippy::too_many_arguments, reason = "the ABI's signature")]
pub(crate) fn proxy_send_local_response(
    _: &mut impl Guest,
    _: u32,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: Word,
    _: u32,
) -> HostResult {
    Ok(())
}
