//! Rules that the harness violated or could violate, one per scenario.

use std::time::Duration;

use differential::Act::{Close, End, Reset};
use differential::Step::{Advance, Client, Server};
use differential::{Act, Hosts, Scenario, Step};
use host_harness::ConnectMode;

#[test]
fn each_rule_holds_in_the_harness_and_in_envoy() {
    let _alone = crate::alone();
    let hosts = Hosts::new(None).unwrap();
    let mut findings = Vec::new();
    hosts
        .compare(&scenarios(), |_, finding| {
            findings.extend(finding.map(|finding| finding.to_string()));
        })
        .unwrap();
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

fn scenarios() -> Vec<Scenario> {
    [
        ends(),
        resets(),
        pauses(),
        closes(),
        buffers(),
        answers(),
        types(),
        lazy(),
        at_once(),
    ]
    .concat()
}

fn ends() -> Vec<Scenario> {
    vec![
        named(
            "the server ends last",
            "",
            [
                Client(write("a")),
                Server(write("b")),
                Client(End),
                Server(End),
            ],
        ),
        named(
            "the client ends last",
            "",
            [Server(ending("b")), Client(ending("a"))],
        ),
        named(
            "bytes ride on an empty end of stream",
            "downstream_data: set downstream 0 0 frame",
            [Client(End), Server(write("late")), Server(End)],
        ),
        named(
            "a client that closed is noticed by the second write",
            "",
            [
                Client(Close),
                Server(write("a")),
                Server(write("b")),
                Server(write("c")),
            ],
        ),
        named(
            "a server that closed is noticed by the second write",
            "",
            [
                Server(Close),
                Client(write("a")),
                Client(write("b")),
                Client(write("c")),
            ],
        ),
        named(
            "a flush that fails is a remote close",
            "",
            [Client(ending("a")), Client(Reset), Server(ending("b"))],
        ),
        named(
            "the same without bytes is a local close",
            "",
            [Client(ending("a")), Client(Reset), Server(End)],
        ),
    ]
}

fn resets() -> Vec<Scenario> {
    vec![
        named(
            "a client's reset is passed on",
            "",
            [Client(write("a")), Client(Reset)],
        ),
        named(
            "a server's reset is passed on",
            "",
            [Client(write("a")), Server(Reset)],
        ),
        named(
            "a reset after FIN goes unnoticed",
            "",
            [Client(End), Client(Reset), Server(End)],
        ),
        named(
            "a closed socket answers bytes with a reset",
            "downstream_data: close downstream",
            [Client(write("a")), Client(write("b")), Server(write("c"))],
        ),
        named(
            "a trap closes without a reset",
            "downstream_data: trap",
            [Client(write("a")), Client(write("b"))],
        ),
    ]
}

fn pauses() -> Vec<Scenario> {
    vec![
        named(
            "sizes are cumulative",
            "downstream_data#1: pause",
            [Client(write("abc")), Client(write("defghijklmnop"))],
        ),
        named(
            "also on the write path, with end of stream",
            "upstream_data#1: pause",
            [Server(write("abc")), Server(ending("d")), Client(End)],
        ),
        named(
            "nothing is read before tcp_proxy has its turn",
            "new_connection: pause",
            [Client(write("a")), Client(End)],
        ),
        named(
            "continuing gives it its turn",
            "new_connection: continue downstream; pause",
            [Client(write("a")), Server(write("b"))],
        ),
        named(
            "a connection closed with bytes unread is reset",
            // The bytes arrive before the tick, also on a busy machine.
            "new_connection: pause; tick 250\ntick: tick 0; effective 2; close downstream",
            [Client(write("a")), Advance(Duration::from_millis(600))],
        ),
        named(
            "a tick continues a paused stream",
            "downstream_data: pause; tick 2\ntick: tick 0; effective 2; continue downstream",
            [
                Client(write("a")),
                Advance(Duration::from_millis(25)),
                Server(write("b")),
            ],
        ),
        named(
            "an end of stream held back does not keep the connection open",
            "downstream_data: pause",
            [Client(End), Server(End)],
        ),
    ]
}

fn closes() -> Vec<Scenario> {
    vec![
        named(
            "closing is done after the callback",
            "downstream_data: close downstream; get downstream 0 9",
            [Client(write("a"))],
        ),
        named(
            "closing upstream is the same",
            "upstream_data: close upstream; get upstream 0 9",
            [Server(write("a"))],
        ),
        named(
            "closing in the last upstream data",
            "upstream_data: close downstream",
            [Server(ending("a"))],
        ),
        named(
            "closing a new connection",
            "new_connection: close downstream",
            [Client(write("a"))],
        ),
        named(
            "a trap forgets what was asked for",
            "downstream_data: continue downstream; trap",
            [Client(write("a"))],
        ),
        named(
            "what a stream answers to done is ignored",
            "done: refuse",
            [Client(Reset)],
        ),
    ]
}

fn buffers() -> Vec<Scenario> {
    let ranges = "set downstream 0 0 >; set downstream 2 1 no; set downstream 0 2 <<; set downstream 99 5 !; \
                  get downstream 1 2; get downstream 9 9; get downstream 99 1";
    let elsewhere: Vec<_> = ["0", "1", "4", "5", "6", "7", "9", "77", "upstream"]
        .map(|buffer| format!("set {buffer} 0 0 x; get {buffer} 0 9; size {buffer}"))
        .into();
    vec![
        named(
            "ranges",
            &format!("downstream_data: {ranges}"),
            [Client(write("abc"))],
        ),
        named(
            "ranges while paused",
            &format!("downstream_data: {ranges}; pause"),
            [Client(write("abc")), Client(write("d"))],
        ),
        named(
            "buffers that are not there",
            &format!("downstream_data: {}", elsewhere.join("; ")),
            [Client(write("abc"))],
        ),
        named(
            "drained and given back",
            "upstream_data#1: set upstream 0 99\nupstream_data#2: set upstream 0 0 held",
            [Server(write("held")), Server(End)],
        ),
    ]
}

const CHOICE: &str = "property upstream_filter_state; property upstream/request_attempt_count; \
                      property upstream/transport_failure_reason; property upstream/address; property metadata; \
                      property request; property xds/listener_metadata; \
                      property xds/upstream_host_locality_metadata; property xds/cluster_name";

fn answers() -> Vec<Scenario> {
    vec![
        named(
            "continuing and closing what a network filter has not",
            "downstream_data: continue 0; continue 1; continue upstream; continue 4; close 0; close 4; proxy_done",
            [Client(write("a"))],
        ),
        named(
            "effective contexts",
            "downstream_data: effective 0; effective 1; property source/address; effective 0; property plugin_name; effective 9",
            [Client(write("a"))],
        ),
        named(
            "attributes without TLS",
            "downstream_data: property xds/route_name; \
             property connection/requested_server_name; property connection/mtls; property connection/tls_version; \
             property xds; property xds/cluster_name; property xds/cluster_metadata; \
             property xds/upstream_host_metadata; property node/id; property cluster_name",
            [Client(write("a"))],
        ),
        named(
            "attributes before and after the choice of a host",
            &format!("new_connection: {CHOICE}\ndownstream_data: {CHOICE}"),
            [Client(write("a"))],
        ),
        named(
            "declared once",
            "new_connection: foreign declare_property hex:0a036f776e; foreign declare_property hex:0a036f776e",
            [],
        ),
        named(
            "metrics",
            "new_connection: define counter {id}.a; define gauge {id}.b; define counter {id}.a; increment 4 5; \
             increment 8 1; increment 4 0; increment 4 -1; increment 5 -2; record 5 7; record 4 3; record 4 0; \
             metric 4; metric 5; metric 12; metric 3; record 3 1",
            [Client(write("a"))],
        ),
    ]
}

/// `{name: "own", type: Protobuf, schema: "type.googleapis.com/google.protobuf.Struct"}`
const DECLARE: &str = "foreign declare_property hex:0a036f776e1803222a\
                       747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e537472756374";

/// The Struct `{k: "v"}`.
const STRUCT: &str = "hex:0a080a016b12031a0176";

const READ: &str = "property own; property own/k; property own/no; property filter_state/wasm.own; \
                    property filter_state/wasm.own/k; property wasm.own/k";

fn types() -> Vec<Scenario> {
    // Evaluated before and after the choice of the host.
    let expressions = [
        "own.k",
        "own['k']",
        "own.no",
        "has(own.no)",
        "own",
        "filter_state['wasm.own'].k",
        "filter_state['wasm.no']",
        "xds.cluster_name",
        "xds.node.id + '!'",
        "upstream.address",
        "string(response.flags)",
        "'abc'.matches('b')",
        "size(own)",
        "null",
        "1 / 0",
        "no.such",
        "nosuch(1)",
        "'a'.lowerAscii()",
        "1 +",
    ];
    let all_created = expressions.map(create).join("; ");
    let all_evaluated: Vec<_> = (0..expressions.len()).map(evaluate).collect();
    let all_evaluated = all_evaluated.join("; ");
    vec![
        named(
            "a declared Struct",
            &format!(
                "new_connection: {DECLARE}; {READ}; set_property own {STRUCT}; {READ}\nlog: {READ}"
            ),
            [Client(write("a"))],
        ),
        named(
            "bytes that are not of the declared type",
            &format!("configure: {DECLARE}\nnew_connection: set_property own text; {READ}"),
            [],
        ),
        named(
            "declared after it was set",
            &format!(
                "new_connection: set_property own x; {DECLARE}; set_property own {STRUCT}; {READ}"
            ),
            [],
        ),
        named(
            "a property set once",
            "configure: foreign declare_property hex:0a036f776e1001\nnew_connection: set_property own x; set_property own y; property own",
            [],
        ),
        named(
            "expressions",
            &format!(
                "configure: {DECLARE}; {all_created}\nnew_connection: set_property own {STRUCT}; {all_evaluated}\n\
                 downstream_data: {all_evaluated}"
            ),
            [Client(write("a"))],
        ),
        named(
            "expressions of a tick see the root",
            &format!(
                "configure: {}; {}\ndownstream_data: tick 2\ntick: tick 0; effective 2; {}; {}; property xds/cluster_name",
                create("xds.cluster_name"),
                create("plugin_name"),
                evaluate(0),
                evaluate(1)
            ),
            [Client(write("a")), Advance(Duration::from_millis(25))],
        ),
        named(
            "histograms",
            "new_connection: define histogram {id}.a; define histogram {id}.b; record 6 0; record 6 7; record 6 101; \
             record 6 255; record 6 1500; record 6 299999; increment 6 1; metric 6",
            [],
        ),
    ]
}

fn create(expression: &str) -> String {
    let digits = expression.bytes().map(|byte| format!("{byte:02x}"));
    format!("foreign expr_create hex:{}", digits.collect::<String>())
}

fn evaluate(token: usize) -> String {
    format!("foreign expr_evaluate hex:{token:02x}000000")
}

fn lazy() -> Vec<Scenario> {
    let choice = "property xds/cluster_name; property xds/cluster_metadata; property xds/upstream_host_metadata; \
                  property upstream/address; property upstream/port; property upstream/request_attempt_count; \
                  property upstream_filter_state";
    let everywhere = format!(
        "new_connection: {choice}\ndownstream_data: {choice}\nupstream_data: {choice}\nlog: {choice}"
    );
    let on_data =
        |name, script: &str, steps| lazily(name, ConnectMode::OnDownstreamData, script, steps);
    vec![
        on_data(
            "no upstream before the first bytes have passed",
            &everywhere,
            vec![Client(write("a")), Client(write("b")), Server(write("c"))],
        ),
        on_data(
            "more bytes than are read early",
            &everywhere,
            vec![
                Client(write("abcdefgh")),
                Client(ending("b")),
                Server(ending("c")),
            ],
        ),
        on_data(
            "an end of stream does not connect",
            &everywhere,
            vec![Client(End), Client(Reset)],
        ),
        on_data(
            "bytes and an end of stream do",
            &everywhere,
            vec![Client(ending("a")), Server(ending("b"))],
        ),
        on_data(
            "bytes on an empty end of stream do",
            "downstream_data: set downstream 0 0 frame",
            vec![Client(End), Server(End)],
        ),
        on_data(
            "drained bytes do not",
            "downstream_data#1: set downstream 0 99\ndownstream_data#2: set downstream 0 0 held",
            vec![Client(write("held")), Client(write("more"))],
        ),
        on_data(
            "held bytes do not",
            &format!("downstream_data#1: pause\ndownstream_data: {choice}"),
            vec![Client(write("a")), Client(write("b"))],
        ),
        on_data(
            "bytes are read while a new connection is paused",
            &format!("new_connection: pause\ndownstream_data: {choice}"),
            vec![Client(write("a")), Client(write("b"))],
        ),
        on_data(
            "a client that leaves before",
            &everywhere,
            vec![Client(Close)],
        ),
        on_data(
            "a client that resets before",
            &everywhere,
            vec![Client(Reset)],
        ),
        lazily(
            "without TLS there is no handshake to wait for",
            ConnectMode::OnDownstreamTlsHandshake,
            &everywhere,
            vec![Server(write("a")), Client(write("b"))],
        ),
    ]
}

fn at_once() -> Vec<Scenario> {
    let both = || Step::AtOnce {
        client: write("query"),
        server: write("greeting"),
    };
    vec![
        named("both write at once", "", [both(), both()]),
        named(
            "both write at once, and the filter numbers what it sees first",
            "downstream_data#1: define counter {id}.c; increment 4 1\nupstream_data#1: metric 4",
            [both()],
        ),
    ]
}

fn lazily(name: &str, connect_mode: ConnectMode, script: &str, steps: Vec<Step>) -> Scenario {
    Scenario {
        connect_mode,
        steps,
        ..named(name, script, [])
    }
}

fn named<const N: usize>(name: &str, script: &str, steps: [Step; N]) -> Scenario {
    Scenario {
        name: name.into(),
        script: script.into(),
        connect_mode: ConnectMode::Immediate,
        steps: steps.into(),
    }
}

fn write(text: &str) -> Act {
    Act::Write(text.into())
}

fn ending(text: &str) -> Act {
    Act::WriteAndEnd(text.into())
}
