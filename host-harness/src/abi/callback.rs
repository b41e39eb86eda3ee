//! The callbacks of the ABI that a host calls in a network filter.

/// A call of the host into the filter. Envoy: `ContextBase::on…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Callback {
    ContextCreate {
        context: u32,
        parent: u32,
    },
    VmStart {
        context: u32,
        configuration_size: u32,
    },
    Configure {
        context: u32,
        configuration_size: u32,
    },
    Tick {
        context: u32,
    },
    QueueReady {
        context: u32,
        token: u32,
    },
    NewConnection {
        context: u32,
    },
    DownstreamData {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    UpstreamData {
        context: u32,
        size: u32,
        end_of_stream: bool,
    },
    DownstreamClose {
        context: u32,
        peer: u32,
    },
    UpstreamClose {
        context: u32,
        peer: u32,
    },
    Done {
        context: u32,
    },
    Log {
        context: u32,
    },
    Delete {
        context: u32,
    },
}

impl Callback {
    /// The name of the export.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ContextCreate { .. } => "proxy_on_context_create",
            Self::VmStart { .. } => "proxy_on_vm_start",
            Self::Configure { .. } => "proxy_on_configure",
            Self::Tick { .. } => "proxy_on_tick",
            Self::QueueReady { .. } => "proxy_on_queue_ready",
            Self::NewConnection { .. } => "proxy_on_new_connection",
            Self::DownstreamData { .. } => "proxy_on_downstream_data",
            Self::UpstreamData { .. } => "proxy_on_upstream_data",
            Self::DownstreamClose { .. } => "proxy_on_downstream_connection_close",
            Self::UpstreamClose { .. } => "proxy_on_upstream_connection_close",
            Self::Done { .. } => "proxy_on_done",
            Self::Log { .. } => "proxy_on_log",
            Self::Delete { .. } => "proxy_on_delete",
        }
    }

    /// The id of the context.
    pub(crate) fn context(&self) -> u32 {
        self.arguments().first().copied().unwrap_or_default()
    }

    /// The arguments in the order of the ABI.
    pub(crate) fn arguments(&self) -> Vec<u32> {
        match *self {
            Self::ContextCreate { context, parent } => vec![context, parent],
            Self::VmStart {
                context,
                configuration_size,
            }
            | Self::Configure {
                context,
                configuration_size,
            } => vec![context, configuration_size],
            Self::DownstreamData {
                context,
                size,
                end_of_stream,
            }
            | Self::UpstreamData {
                context,
                size,
                end_of_stream,
            } => {
                vec![context, size, u32::from(end_of_stream)]
            }
            Self::DownstreamClose { context, peer } | Self::UpstreamClose { context, peer } => {
                vec![context, peer]
            }
            Self::QueueReady { context, token } => vec![context, token],
            Self::Tick { context }
            | Self::NewConnection { context }
            | Self::Done { context }
            | Self::Log { context }
            | Self::Delete { context } => vec![context],
        }
    }
}

/// The result of a callback.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct CallbackOutcome {
    /// The filter exports this callback.
    pub(crate) exported: bool,
    /// The return value, if the callback has one.
    pub(crate) result: Option<u32>,
    /// Fuel that the callback consumed; 0 on back ends without metering.
    pub(crate) fuel: u64,
    /// Allocations of the filter; 0 unless the filter counts them.
    pub(crate) allocations: u64,
}
