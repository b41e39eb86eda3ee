//! The macro that finds the exports of a linked filter.

/// Returns the filter that is linked into this binary as a [`Module`](crate::Module).
///
/// The filter's crate must be linked (`use my_filter as _;`) and must have the crate type `rlib`
/// beside `cdylib`.
#[macro_export]
macro_rules! native_filter {
    () => {{
        // Safe to call: the SDK defines these functions, and the harness calls one at a time.
        #[allow(unsafe_code)]
        mod exports {
            unsafe extern "C" {
                pub(super) safe fn _initialize();
                pub(super) safe fn proxy_on_memory_allocate(size: usize) -> *mut u8;
                pub(super) safe fn proxy_on_context_create(context: u32, parent: u32);
                pub(super) safe fn proxy_on_vm_start(context: u32, size: usize) -> bool;
                pub(super) safe fn proxy_on_configure(context: u32, size: usize) -> bool;
                pub(super) safe fn proxy_on_tick(context: u32);
                pub(super) safe fn proxy_on_queue_ready(context: u32, token: u32);
                pub(super) safe fn proxy_on_new_connection(context: u32) -> u32;
                pub(super) safe fn proxy_on_downstream_data(
                    context: u32,
                    size: usize,
                    end_of_stream: bool,
                ) -> u32;
                pub(super) safe fn proxy_on_upstream_data(
                    context: u32,
                    size: usize,
                    end_of_stream: bool,
                ) -> u32;
                pub(super) safe fn proxy_on_downstream_connection_close(context: u32, peer: u32);
                pub(super) safe fn proxy_on_upstream_connection_close(context: u32, peer: u32);
                pub(super) safe fn proxy_on_done(context: u32) -> bool;
                pub(super) safe fn proxy_on_log(context: u32);
                pub(super) safe fn proxy_on_delete(context: u32);
            }
        }
        $crate::Module::native($crate::native::Exports {
            initialize: exports::_initialize,
            allocate: exports::proxy_on_memory_allocate,
            context_create: exports::proxy_on_context_create,
            vm_start: exports::proxy_on_vm_start,
            configure: exports::proxy_on_configure,
            tick: exports::proxy_on_tick,
            queue_ready: exports::proxy_on_queue_ready,
            new_connection: exports::proxy_on_new_connection,
            downstream_data: exports::proxy_on_downstream_data,
            upstream_data: exports::proxy_on_upstream_data,
            downstream_close: exports::proxy_on_downstream_connection_close,
            upstream_close: exports::proxy_on_upstream_connection_close,
            done: exports::proxy_on_done,
            log: exports::proxy_on_log,
            delete: exports::proxy_on_delete,
        })
    }};
}
