//! Actions that a host function requests and Envoy performs after the callback has returned.

/// A requested action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deferred {
    /// `proxy_continue_stream(Downstream)` in a stream.
    ContinueReading {
        connection: u64,
        /// The filter that calls it: the filters behind it continue.
        filter: FilterContext,
    },
    /// `proxy_close_stream` in the stream with this connection id.
    Close(u64),
    /// `proxy_done` of a root that returned false from `proxy_on_done`.
    Done(u32),
}

/// A stream context, among all VMs of the process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FilterContext {
    pub(crate) vm: u32,
    pub(crate) context: u32,
}
