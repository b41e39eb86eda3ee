//! Filters, as text, that end in a certain way in a certain callback.

/// A callback and its signature.
#[derive(Debug)]
pub(super) struct Callback {
    pub(super) name: &'static str,
    parameters: usize,
    /// The value that it returns.
    result: Option<u32>,
}

/// The way in which a callback ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum End {
    Trap,
    Hang,
    /// It grows its memory until it is refused more, then traps.
    Leak,
    LongLog,
    LongLogAndTrap,
}

/// The callbacks of the root context before the first connection.
pub(super) const STARTING: [&str; 3] = [
    "proxy_on_context_create",
    "proxy_on_vm_start",
    "proxy_on_configure",
];

/// The line that each filter logs before it ends.
pub(super) const LINE: &str = "before the end";

const fn callback(name: &'static str, parameters: usize, result: Option<u32>) -> Callback {
    Callback {
        name,
        parameters,
        result,
    }
}

pub(super) static CALLBACKS: [Callback; 13] = [
    callback("proxy_on_context_create", 2, None),
    callback("proxy_on_vm_start", 2, Some(1)),
    callback("proxy_on_configure", 2, Some(1)),
    callback("proxy_on_tick", 1, None),
    callback("proxy_on_queue_ready", 2, None),
    callback("proxy_on_new_connection", 1, Some(0)),
    callback("proxy_on_downstream_data", 3, Some(0)),
    callback("proxy_on_upstream_data", 3, Some(0)),
    callback("proxy_on_downstream_connection_close", 2, None),
    callback("proxy_on_upstream_connection_close", 2, None),
    callback("proxy_on_done", 1, Some(1)),
    callback("proxy_on_log", 1, None),
    callback("proxy_on_delete", 1, None),
];

/// The text of the filter. Ticks and a queue with an item exist only for their callbacks.
pub(super) fn module(callback: &Callback, end: End) -> String {
    let mut functions = function(callback, "(call $deep)");
    match callback.name {
        "proxy_on_tick" => {
            let start = find("proxy_on_vm_start");
            functions += &function(start, "(drop (call $set_tick (i32.const 50)))");
        }
        "proxy_on_queue_ready" => {
            let configure = find("proxy_on_configure");
            let register = "(drop (call $register (i32.const 64) (i32.const 1) (i32.const 32)))";
            functions += &function(configure, register);
            let data = find("proxy_on_downstream_data");
            let enqueue =
                "(drop (call $enqueue (i32.load (i32.const 32)) (i32.const 64) (i32.const 1)))";
            functions += &function(data, enqueue);
        }
        _ => {}
    }
    let length = LINE.len();
    let end = match end {
        End::Trap => "unreachable",
        End::Hang => "(loop $again (br $again))",
        End::Leak => {
            "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 1024)) (i32.const -1)))) unreachable"
        }
        End::LongLog => LONG_LOG,
        End::LongLogAndTrap => &format!("{LONG_LOG} unreachable"),
    };
    format!(
        r#"(module
    (import "env" "proxy_log" (func $log (param i32 i32 i32) (result i32)))
    (import "env" "proxy_set_tick_period_milliseconds" (func $set_tick (param i32) (result i32)))
    (import "env" "proxy_register_shared_queue" (func $register (param i32 i32 i32) (result i32)))
    (import "env" "proxy_enqueue_shared_queue" (func $enqueue (param i32 i32 i32) (result i32)))
    (memory (export "memory") 32)
    (data (i32.const 64) "{LINE}")
    (func (export "malloc") (param i32) (result i32) i32.const 1024)
    (func (export "proxy_abi_version_0_2_1"))
    (func $deep
        (drop (call $log (i32.const 2) (i32.const 64) (i32.const {length})))
        {end})
{functions})"#
    )
}

/// Logs a mebibyte of `x` as an error.
const LONG_LOG: &str = "(memory.fill (i32.const 2048) (i32.const 120) (i32.const 1048576)) \
     (drop (call $log (i32.const 4) (i32.const 2048) (i32.const 1048576)))";

fn find(name: &str) -> &'static Callback {
    CALLBACKS
        .iter()
        .find(|callback| callback.name == name)
        .unwrap()
}

/// A callback with this body, which returns what lets the connection go on.
fn function(callback: &Callback, body: &str) -> String {
    let Callback {
        name,
        parameters,
        result,
    } = callback;
    let parameters = "i32 ".repeat(*parameters);
    let (kind, value) = match result {
        Some(value) => ("(result i32)", format!("i32.const {value}")),
        None => ("", String::new()),
    };
    format!("    (func (export \"{name}\") (param {parameters}) {kind} {body} {value})\n")
}
