//! A network filter that makes one host call many times in a callback: what Envoy then executes
//! more is the cost of the call.
//!
//! Its configuration is a string in JSON with the calls, separated by `;`. The first byte of a
//! connection is the number of its call. The filter makes the host calls with the binding that ships.
// The SDK's macro writes an undocumented `_initialize`.
#![allow(missing_docs)]

mod call;
// Only a part of the binding is used here.
#[allow(dead_code)]
#[path = "../../../../filter/shell/src/host.rs"]
mod host;

use std::rc::Rc;

use proxy_wasm::traits::{Context, RootContext, StreamContext};
use proxy_wasm::types::{Action, ContextType};
use tcp_peer_stats_core::host::{Buffer, Host as _};

use call::Call;
use host::ProxyWasm;

proxy_wasm::main! {{
    proxy_wasm::set_root_context(|_| Box::new(Root::default()));
}}

#[derive(Default)]
struct Root {
    calls: Rc<Vec<Call>>,
}

impl Context for Root {}

impl RootContext for Root {
    fn on_configure(&mut self, size: usize) -> bool {
        let text = host::plugin_configuration(size).ok();
        let text = text.and_then(|bytes| String::from_utf8(bytes).ok());
        let calls = text.and_then(|text| {
            let calls = text.trim_matches('"').split(';');
            calls.map(Call::read).collect()
        });
        match calls {
            Some(calls) => {
                self.calls = Rc::new(calls);
                true
            }
            None => false,
        }
    }

    fn create_stream_context(&self, _: u32) -> Option<Box<dyn StreamContext>> {
        Some(Box::new(Stream {
            calls: Rc::clone(&self.calls),
            is_done: false,
        }))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::StreamContext)
    }
}

/// A connection. Its calls are made with the bytes of the upstream: everything about both ends is
/// known then.
struct Stream {
    calls: Rc<Vec<Call>>,
    is_done: bool,
}

impl Context for Stream {}

impl StreamContext for Stream {
    fn on_upstream_data(&mut self, size: usize, _: bool) -> Action {
        if size > 0 && !std::mem::replace(&mut self.is_done, true) {
            let first = ProxyWasm.buffer(Buffer::Upstream, 0, 1).ok();
            let number = first.and_then(|bytes| bytes.first().copied());
            let call = number.and_then(|number| self.calls.get(usize::from(number)));
            if let Some(call) = call {
                call.repeat();
            }
        }
        Action::Continue
    }
}
