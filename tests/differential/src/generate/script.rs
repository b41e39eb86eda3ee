//! Random scripts for the probe filter.

use fastrand::Rng;

/// A timer's period in milliseconds.
const TICK: u32 = 2;

const CALLBACKS: [&str; 16] = [
    "new_connection",
    "new_connection",
    "downstream_data",
    "downstream_data",
    "downstream_data",
    "downstream_data",
    "downstream_data",
    "upstream_data",
    "upstream_data",
    "upstream_data",
    "upstream_data",
    "upstream_close",
    "downstream_close",
    "done",
    "log",
    "delete",
];

const PROPERTIES: [&str; 49] = [
    "source",
    "source/address",
    "source/port",
    "destination/address",
    "destination/port",
    "connection",
    "connection/mtls",
    "connection/requested_server_name",
    "connection/tls_version",
    "connection/uri_san_peer_certificate",
    "connection_id",
    "connection/id",
    "upstream",
    "upstream/address",
    "upstream/port",
    "upstream/num_endpoints",
    "upstream/tls_version",
    "xds",
    "xds/cluster_name",
    "xds/cluster_metadata",
    "xds/upstream_host_metadata",
    "xds/listener_direction",
    "xds/filter_chain_name",
    "xds/route_name",
    "xds/node/id",
    "xds/node/cluster",
    "node/id",
    "cluster_name",
    "listener_direction",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "response/flags",
    "own",
    "own/k",
    "own/no",
    "filter_state/wasm.own",
    "filter_state/wasm.own/k",
    "upstream/transport_failure_reason",
    "upstream/request_attempt_count",
    "upstream_filter_state",
    "request",
    "request/size",
    "response/size",
    "metadata",
    "xds/listener_metadata",
    "xds/upstream_host_locality_metadata",
    "filter_state",
    "no/such",
];

/// The Struct `{k: "v"}`.
const STRUCT: &str = "hex:0a080a016b12031a0176";

/// `{name: "own", type: Protobuf, schema: "type.googleapis.com/google.protobuf.Struct"}`
const DECLARE: &str = "hex:0a036f776e1803222a\
                       747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472756374";

/// Expressions without spaces, which separate arguments in the probe's script.
const EXPRESSIONS: [&str; 10] = [
    "own",
    "own.k",
    "own['k']",
    "has(own.k)",
    "filter_state['wasm.own']",
    "xds.cluster_name",
    "response.flags",
    "upstream.port>0?'up':'down'",
    "nosuch(1)",
    "1+",
];

/// Lines for some callbacks; with `ticks`, one of them starts a timer that fires once.
pub(super) fn script(rng: &mut Rng, ticks: bool) -> String {
    let mut lines: Vec<_> = (0..rng.usize(0..=5)).map(|_| line(rng)).collect();
    if rng.u8(0..3) == 0 {
        lines.push(format!("configure: foreign declare_property {DECLARE}"));
    }
    if ticks {
        let callback = any(rng, &CALLBACKS);
        lines.push(format!("{callback}#{}: tick {TICK}", rng.u8(1..3)));
        lines.push(format!("tick: tick 0; {}", actions(rng, "tick")));
    }
    lines.join("\n")
}

fn line(rng: &mut Rng) -> String {
    let callback = any(rng, &CALLBACKS);
    let call = match rng.u8(0..10) {
        0..=3 => "#1",
        4..=5 => "#2",
        6 => "#3",
        _ => "",
    };
    format!("{callback}{call}: {}", actions(rng, callback))
}

fn actions(rng: &mut Rng, callback: &str) -> String {
    let count = rng.usize(1..=4);
    let mut actions: Vec<_> = (0..count).map(|_| action(rng, callback)).collect();
    // A documented difference (see the harness' manual): a close and then a trap in this callback.
    let closes = actions.iter().any(|action| action.starts_with("close"));
    actions.retain(|action| !(callback == "upstream_close" && closes && action == "trap"));
    actions.join("; ")
}

fn action(rng: &mut Rng, callback: &str) -> String {
    let data = callback.ends_with("_data");
    match rng.u8(0..100) {
        0..=17 if data => "pause".into(),
        0..=2 if callback == "new_connection" => "pause".into(),
        0..=34 => set(rng, callback),
        35..=44 => get(rng, callback),
        45..=52 => format!("continue {}", stream(rng)),
        53..=55 => format!("close {}", stream(rng)),
        56..=71 => format!("property {}", any(rng, &PROPERTIES)),
        72..=74 => format!("set_property own {}", word(rng)),
        75..=87 => metric(rng),
        88..=91 => shared(rng),
        92..=94 => foreign(rng),
        95 => format!("effective {}", any(rng, &["0", "1", "2", "3", "99"])),
        96 => "proxy_done".into(),
        97..=98 => format!("size {}", buffer(rng, callback)),
        _ => "trap".into(),
    }
}

fn set(rng: &mut Rng, callback: &str) -> String {
    let buffer = buffer(rng, callback);
    let start = any(
        rng,
        &[
            "0",
            "0",
            "0",
            "0",
            "0",
            "1",
            "2",
            "3",
            "4",
            "5",
            "6",
            "99",
            "4294967295",
        ],
    );
    let length = any(rng, &["0", "0", "1", "2", "5", "99", "4294967295"]);
    let data = any(rng, &["", "<", "hex:00ff0a", "replacement"]);
    format!("set {buffer} {start} {length} {data}")
        .trim_end()
        .into()
}

fn get(rng: &mut Rng, callback: &str) -> String {
    let buffer = buffer(rng, callback);
    let start = any(rng, &["0", "0", "0", "1", "3", "99", "4294967295"]);
    let length = any(rng, &["0", "1", "2", "99", "99", "4294967295"]);
    format!("get {buffer} {start} {length}")
}

/// Returns mostly the buffer that the callback has.
fn buffer(rng: &mut Rng, callback: &str) -> &'static str {
    match (rng.u8(0..20), callback) {
        // Without 8: in Envoy, the buffer of call data is the last requested one, even if it no
        // longer exists.
        (0, _) => any(rng, &["0", "1", "4", "5", "6", "7", "9", "77"]),
        (1..=14, "downstream_data") => "downstream",
        (1..=14, "upstream_data") => "upstream",
        (1..=10, _) => "downstream",
        _ => any(rng, &["downstream", "upstream"]),
    }
}

fn stream(rng: &mut Rng) -> &'static str {
    any(
        rng,
        &["downstream", "downstream", "upstream", "0", "1", "4"],
    )
}

/// Ids increase by type: 4 and 8 are counters, 5 and 9 are gauges.
fn metric(rng: &mut Rng) -> String {
    let id = any(rng, &["4", "4", "5", "5", "8", "9", "0", "1", "3", "12"]);
    let name = any(rng, &["a", "b", "c.d"]);
    match rng.u8(0..10) {
        0..=2 => format!("define counter {{id}}.{name}_total"),
        3..=4 => format!("define gauge {{id}}.{name}_now"),
        5..=6 => format!("increment {id} {}", any(rng, &["1", "7", "0", "-1", "-3"])),
        7..=8 => format!(
            "record {id} {}",
            any(rng, &["0", "5", "18446744073709551615"])
        ),
        _ => format!("metric {id}"),
    }
}

fn shared(rng: &mut Rng) -> String {
    let key = any(rng, &["k", "l"]);
    match rng.u8(0..6) {
        0..=1 => format!("get_shared {key}"),
        2..=4 => format!("set_shared {key} {} 0", word(rng)),
        _ => format!("set_shared {key} {} 4000000000", word(rng)),
    }
}

fn foreign(rng: &mut Rng) -> String {
    match rng.u8(0..5) {
        0 => return format!("foreign declare_property {DECLARE}"),
        1 => return format!("foreign expr_create {}", any(rng, &EXPRESSIONS)),
        2 => return format!("foreign expr_evaluate hex:0{}000000", rng.u8(0..3)),
        _ => {}
    }
    let name = any(
        rng,
        &["nothing", "declare_property", "set_envoy_filter_state"],
    );
    let argument = any(
        rng,
        &[
            "",
            "x",
            "source.port",
            "connection.mtls",
            "hex:00000000",
            "hex:0a036f776e1801",
        ],
    );
    format!("foreign {name} {argument}").trim_end().into()
}

fn word(rng: &mut Rng) -> &'static str {
    any(rng, &["x", "yy", "hex:00", STRUCT])
}

fn any<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    let index = rng.usize(0..choices.len().max(1));
    choices.get(index).copied().unwrap_or_default()
}
