//! A network filter for Envoy that counts the bytes that clients send.

// The host functions exist in WebAssembly only.
#![cfg(target_arch = "wasm32")]

use proxy_wasm::hostcalls;
use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, LogLevel, MetricType, PeerType};

proxy_wasm::main! {{
    proxy_wasm::set_log_level(LogLevel::Info);
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

/// The configuration of the filter: what all connections of a worker share.
#[derive(Default)]
struct Root {
    received: u32,
}

impl Context for Root {}

impl RootContext for Root {
    /// Returns false to reject the configuration.
    fn on_configure(&mut self, _size: usize) -> bool {
        match hostcalls::define_metric(MetricType::Counter, "received_bytes_total") {
            Ok(metric) => self.received = metric,
            Err(status) => log::error!("cannot define the metric: {status:?}"),
        }
        true
    }

    fn create_stream_context(&self, _id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Connection {
            received: self.received,
            bytes: 0,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }
}

/// One connection.
struct Connection {
    received: u32,
    bytes: u64,
}

impl Context for Connection {}

impl StreamContext for Connection {
    /// `size` is the size of the read buffer: all of it is new, because this filter never pauses.
    fn on_downstream_data(&mut self, size: usize, _end_of_stream: bool) -> Action {
        self.bytes += size as u64;
        // The end of the stream may come without bytes, and Envoy refuses to add nothing.
        if size > 0
            && let Err(status) = hostcalls::increment_metric(self.received, size as i64)
        {
            log::error!("cannot count {size} bytes: {status:?}");
        }
        Action::Continue
    }

    fn on_downstream_close(&mut self, _peer: PeerType) {
        log::info!("the client sent {} bytes", self.bytes);
    }
}
