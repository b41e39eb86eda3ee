//! The filter as a proxy-wasm network filter: the binding of the core to the host.
//!
//! The SDK exports the callbacks and keeps the contexts. The hostcalls are made by the module
//! `host`, because the SDK's wrappers panic on unexpected statuses, and a panic ends the VM and
//! every connection in it.

// The SDK's macro writes an undocumented `_initialize`.
#![allow(missing_docs)]

mod host;
mod logger;

use std::cell::RefCell;
use std::rc::Rc;

use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType, PeerType};
use tcp_peer_stats_core::host::Buffer;
use tcp_peer_stats_core::{Connection, Flow, Plugin};

use host::ProxyWasm;

proxy_wasm::main! {{
    logger::install();
    proxy_wasm::set_root_context(|id| Box::new(Root { id, plugin: None }));
}}

/// The root context: one plugin configuration in one VM.
struct Root {
    id: u32,
    plugin: Option<Rc<Plugin<ProxyWasm>>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let configured = host::plugin_configuration(size)
            .map_err(|error| format!("reading the configuration failed: {error}"))
            .and_then(|raw| {
                Plugin::configure(ProxyWasm, self.id, &raw).map_err(|error| error.to_string())
            });
        match configured {
            Ok(plugin) => {
                self.plugin = Some(Rc::new(plugin));
                true
            }
            Err(error) => {
                log::error!("tcp-peer-stats: configuration rejected: {error}");
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(plugin) = &self.plugin {
            plugin.on_tick();
        }
    }

    fn create_stream_context(&self, id: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Stream {
            id,
            plugin: self.plugin.as_ref().map(Rc::clone),
            connection: None,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }
}

/// A stream context: one connection, or `None` if it passes uncounted.
struct Stream {
    id: u32,
    plugin: Option<Rc<Plugin<ProxyWasm>>>,
    connection: Option<Rc<RefCell<Connection<ProxyWasm>>>>,
}

impl Stream {
    /// Calls `act` with the connection, unless it passes uncounted.
    fn with_connection<T>(&self, act: impl FnOnce(&mut Connection<ProxyWasm>) -> T) -> Option<T> {
        let mut connection = self.connection.as_ref()?.try_borrow_mut().ok()?;
        Some(act(&mut connection))
    }

    fn on_data(&self, buffer: Buffer, size: usize, end_of_stream: bool) -> Action {
        let flow =
            self.with_connection(|connection| connection.on_data(buffer, size, end_of_stream));
        match flow {
            Some(Flow::Hold) => Action::Pause,
            Some(Flow::Continue) | None => Action::Continue,
        }
    }

    fn close(&self) {
        self.with_connection(Connection::on_close);
    }
}

impl Context for Stream {}

impl StreamContext for Stream {
    fn on_new_connection(&mut self) -> Action {
        self.connection = self
            .plugin
            .as_ref()
            .and_then(|plugin| plugin.on_new_connection(self.id));
        Action::Continue
    }

    fn on_downstream_data(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.on_data(Buffer::Downstream, size, end_of_stream)
    }

    fn on_upstream_data(&mut self, size: usize, end_of_stream: bool) -> Action {
        self.on_data(Buffer::Upstream, size, end_of_stream)
    }

    fn on_upstream_close(&mut self, _: PeerType) {
        self.with_connection(Connection::on_upstream_close);
    }

    fn on_log(&mut self) {
        self.close();
    }
}

impl Drop for Stream {
    /// A host may delete a stream without a call of `on_log`.
    fn drop(&mut self) {
        self.close();
    }
}
