//! The host functions of the ABI, written once for both back ends.
//!
//! [`for_each_hostcall`] is the table of names and signatures: a back end expands it into its own glue. The function
//! of the same name below reads the arguments out of guest memory and hands them to the [`Host`].

mod general;
mod streams;

pub(crate) use general::*;
pub(crate) use streams::*;

use crate::abi::{HostResult, Status};
use crate::host::{Answer, Host};
use std::cell::RefMut;

/// An address or a length in guest memory.
pub(crate) type Word = u64;

/// A guest in the middle of a callback: its memory, and the host it calls.
pub(crate) trait Guest {
    fn host(&self) -> RefMut<'_, Host>;
    fn read(&mut self, address: Word, length: Word) -> Option<Vec<u8>>;
    fn write(&mut self, address: Word, bytes: &[u8]) -> Option<()>;
    /// Writes a length or an address, in the guest's word size.
    fn write_word(&mut self, address: Word, value: Word) -> Option<()>;
    /// Memory from the guest's own allocator.
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

    /// Hands bytes over in memory that the guest will free. Nothing is a null pointer and a zero.
    fn hand_over(&mut self, bytes: &[u8], data: Word, size: Word) -> HostResult {
        let lie = self.host().lie.take();
        let bytes = lie.as_deref().unwrap_or(bytes);
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

/// Runs a host function for a guest, unless its capabilities forbid it; what it answers.
pub(crate) fn serve<G: Guest>(
    guest: &mut G,
    call: Hostcall,
    run: impl FnOnce(&mut G) -> HostResult,
) -> Status {
    let name = call.name();
    let allowed = guest.host().allows(name);
    let fault = guest.host().fault(call);
    let result = match fault {
        _ if !allowed => {
            let message = format!("Attempted call to restricted proxy-wasm capability: {name}");
            guest.host().process.logs.error(message);
            Err(Status::InternalFailure)
        }
        Some(Answer::Status(status)) => Err(status.into()),
        Some(Answer::Untouched) => Ok(()),
        Some(Answer::Bytes(bytes)) => {
            guest.host().lie = Some(bytes.to_vec());
            let result = run(guest);
            guest.host().forget_lie();
            result
        }
        None => run(guest),
    };
    let status = result.err().unwrap_or(Status::Ok);
    guest.host().trace.hostcall(call, status);
    status
}

/// Calls `$apply!` with every host function: `name(argument: type, …)`; the types are `Int` (32 bits), `Long`
/// (64 bits) and `Ptr` (the guest's word).
macro_rules! for_each_hostcall {
    ($apply:ident) => {
        $apply! {
            proxy_log(level: Int, data: Ptr, size: Ptr);
            proxy_get_log_level(level: Ptr);
            proxy_get_current_time_nanoseconds(time: Ptr);
            proxy_set_tick_period_milliseconds(period: Int);
            proxy_set_effective_context(context: Int);
            proxy_done();
            proxy_get_status(code: Ptr, data: Ptr, size: Ptr);
            proxy_get_configuration(data: Ptr, size: Ptr);
            proxy_get_property(path: Ptr, path_size: Ptr, data: Ptr, size: Ptr);
            proxy_set_property(path: Ptr, path_size: Ptr, data: Ptr, size: Ptr);
            proxy_get_buffer_bytes(kind: Int, start: Ptr, length: Ptr, data: Ptr, size: Ptr);
            proxy_get_buffer_status(kind: Int, size: Ptr, flags: Ptr);
            proxy_set_buffer_bytes(kind: Int, start: Ptr, length: Ptr, data: Ptr, size: Ptr);
            proxy_continue_stream(stream: Int);
            proxy_close_stream(stream: Int);
            proxy_continue_request();
            proxy_continue_response();
            proxy_clear_route_cache();
            proxy_define_metric(kind: Int, name: Ptr, name_size: Ptr, id: Ptr);
            proxy_increment_metric(id: Int, offset: Long);
            proxy_record_metric(id: Int, value: Long);
            proxy_get_metric(id: Int, value: Ptr);
            proxy_get_shared_data(key: Ptr, key_size: Ptr, data: Ptr, size: Ptr, cas: Ptr);
            proxy_set_shared_data(key: Ptr, key_size: Ptr, data: Ptr, size: Ptr, cas: Int);
            proxy_register_shared_queue(name: Ptr, name_size: Ptr, token: Ptr);
            proxy_resolve_shared_queue(vm: Ptr, vm_size: Ptr, name: Ptr, name_size: Ptr, token: Ptr);
            proxy_enqueue_shared_queue(token: Int, data: Ptr, size: Ptr);
            proxy_dequeue_shared_queue(token: Int, data: Ptr, size: Ptr);
            proxy_call_foreign_function(
                name: Ptr, name_size: Ptr, argument: Ptr, argument_size: Ptr, data: Ptr, size: Ptr
            );
            proxy_get_header_map_pairs(map: Int, data: Ptr, size: Ptr);
            proxy_set_header_map_pairs(map: Int, data: Ptr, size: Ptr);
            proxy_get_header_map_value(map: Int, key: Ptr, key_size: Ptr, data: Ptr, size: Ptr);
            proxy_replace_header_map_value(map: Int, key: Ptr, key_size: Ptr, data: Ptr, size: Ptr);
            proxy_add_header_map_value(map: Int, key: Ptr, key_size: Ptr, data: Ptr, size: Ptr);
            proxy_remove_header_map_value(map: Int, key: Ptr, key_size: Ptr);
            proxy_get_header_map_size(map: Int, size: Ptr);
            proxy_send_local_response(
                code: Int, details: Ptr, details_size: Ptr, body: Ptr, body_size: Ptr, headers: Ptr, headers_size: Ptr,
                grpc_status: Int
            );
            proxy_http_call(
                upstream: Ptr, upstream_size: Ptr, headers: Ptr, headers_size: Ptr, body: Ptr, body_size: Ptr,
                trailers: Ptr, trailers_size: Ptr, timeout: Int, token: Ptr
            );
            proxy_grpc_call(
                service: Ptr, service_size: Ptr, name: Ptr, name_size: Ptr, method: Ptr, method_size: Ptr,
                metadata: Ptr, metadata_size: Ptr, request: Ptr, request_size: Ptr, timeout: Int, token: Ptr
            );
            proxy_grpc_stream(
                service: Ptr, service_size: Ptr, name: Ptr, name_size: Ptr, method: Ptr, method_size: Ptr,
                metadata: Ptr, metadata_size: Ptr, token: Ptr
            );
            proxy_grpc_send(token: Int, data: Ptr, size: Ptr, end_stream: Int);
            proxy_grpc_cancel(token: Int);
            proxy_grpc_close(token: Int);
        }
    };
}
pub(crate) use for_each_hostcall;

macro_rules! kinds {
    ($($name:ident($($argument:ident: $type:ident),* $(,)?);)*) => {
        /// A host function.
        #[allow(non_camel_case_types, reason = "the ABI's own names")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Hostcall { $($name,)* }

        impl Hostcall {
            /// All of them, in the order of their discriminants.
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// Its import name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}
for_each_hostcall!(kinds);
