//! The filter as a proxy-wasm network filter: binds the core to the host, and does nothing else.
//!
//! The SDK exports the callbacks and keeps the contexts. Hostcalls do not go through it: its
//! wrappers panic on statuses they do not expect, and a panic takes the VM and every connection
//! in it down. The module `host` makes them and returns what the host says.

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
            .map_err(|status| format!("the host hides the configuration: {status}"))
            .and_then(|raw| {
                Plugin::configure(ProxyWasm, self.id, &raw).map_err(|fault| fault.to_string())
            });
        match configured {
            Ok(plugin) => {
                self.plugin = Some(Rc::new(plugin));
                true
            }
            Err(fault) => {
                log::error!("tcp-peer-stats: configuration refused: {fault}");
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
        let plugin = self.plugin.as_ref().map(Rc::clone);
        Some(Box::new(Stream {
            id,
            plugin,
            connection: None,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }
}

/// A stream context: one connection, or none that the plugin looks at. Then everything passes.
struct Stream {
    id: u32,
    plugin: Option<Rc<Plugin<ProxyWasm>>>,
    connection: Option<Rc<RefCell<Connection>>>,
}

impl Stream {
    fn on_data(&self, buffer: Buffer, size: usize, end_of_stream: bool) -> Action {
        if let (Some(plugin), Some(connection)) = (&self.plugin, &self.connection)
            && let Ok(mut connection) = connection.try_borrow_mut()
        {
            return match connection.on_data(plugin, buffer, size, end_of_stream) {
                Flow::Continue => Action::Continue,
                Flow::Hold => Action::Pause,
            };
        }
        Action::Continue
    }

    fn close(&self) {
        if let (Some(plugin), Some(connection)) = (&self.plugin, &self.connection)
            && let Ok(mut connection) = connection.try_borrow_mut()
        {
            connection.on_close(plugin);
        }
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
        if let (Some(plugin), Some(connection)) = (&self.plugin, &self.connection)
            && let Ok(mut connection) = connection.try_borrow_mut()
        {
            connection.on_upstream_end(plugin);
        }
    }

    fn on_log(&mut self) {
        self.close();
    }
}

impl Drop for Stream {
    /// A host that deletes a stream without logging it still gets the stream's last report.
    fn drop(&mut self) {
        self.close();
    }
}
