//! The host functions of the ABI: names and signatures.

/// Calls `$apply!` with every host function: `name(argument: type, …)`. The types are `Int` (32
/// bits), `Long` (64 bits) and `Ptr` (the guest's word).
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

/// Defines the enumeration of the host functions.
macro_rules! kinds {
    ($($name:ident($($argument:ident: $type:ident),* $(,)?);)*) => {
        /// A host function.
        #[allow(non_camel_case_types, reason = "the ABI's own names")]
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Hostcall { $($name,)* }

        impl Hostcall {
            /// The import names, in the order of the discriminants.
            pub(crate) const NAMES: &'static [&'static str] = &[$(stringify!($name),)*];

            /// The import name.
            pub(crate) fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)* }
            }
        }
    };
}
for_each_hostcall!(kinds);
