//! Expressions and the types of properties. Every result was observed on stock Envoy 1.40.0 with
//! the same script.

use super::{lines, probe, stream_lines};
use host_harness::{Cluster, Node, Sidecar, SidecarBuilder, UpstreamHost, Value};
use serde_json::json;

/// `{name: "peer", type: Protobuf, schema: …google.protobuf.Struct, span: DownstreamConnection}`
const DECLARE: &str = "foreign declare_property \
    hex:0a04706565721803222a747970652e676f6f676c65617069732e636f6d2f676f6f676c652e70726f746f6275662e5374727563742802";

/// The Struct `{workload: "w", labels: {app: "a"}}`.
const PEER: &str =
    "hex:0a0f0a08776f726b6c6f616412031a01770a180a066c6162656c73120e2a0c0a0a0a0361707012031a0161";

fn hex(text: &str) -> String {
    let digits = text.bytes().map(|byte| format!("{byte:02x}"));
    format!("hex:{}", digits.collect::<String>())
}

fn create(expression: &str) -> String {
    format!("foreign expr_create {}", hex(expression))
}

fn evaluate(token: usize) -> String {
    format!("foreign expr_evaluate hex:{token:02x}000000")
}

/// The configuration of the Envoy on which the results were observed.
fn set_up(script: &str) -> SidecarBuilder {
    let metadata = json!({"NAMESPACE": "default", "LABELS": {"app": "ratings"}, "N": 3});
    let services = json!({"istio": {"services": [{"host": "h"}]}});
    probe(script)
        .plugin("ex", "", "ex")
        .direction(host_harness::Direction::Inbound)
        .node(Node::new("probe").metadata(metadata))
        .cluster(Cluster::new("server").metadata(services))
        .upstream_host(
            UpstreamHost::new("127.0.0.1:1").metadata(json!({"istio": {"workload": "w;n;s"}})),
        )
}

/// The results of the calls of this function in streams.
fn answers(sidecar: &Sidecar, call: &str) -> Vec<String> {
    let lines = stream_lines(sidecar);
    let calls = lines.iter().filter(|line| line.starts_with(call));
    calls
        .filter_map(|line| Some(line.split_once(" = ")?.1.to_owned()))
        .collect()
}

/// Creates expressions in configure, sets a declared `peer`, and evaluates the expressions in the
/// first downstream data.
fn evaluated(expressions: &[&str]) -> Vec<String> {
    let creations: Vec<_> = expressions.iter().map(|text| create(text)).collect();
    let evaluations: Vec<_> = (0..expressions.len()).map(evaluate).collect();
    let script = format!(
        "configure: {DECLARE}; {}\ndownstream_data: set_property peer {PEER}; {}",
        creations.join("; "),
        evaluations.join("; ")
    );
    let sidecar = set_up(&script).start().unwrap();
    sidecar.connect().client.write("x");
    answers(&sidecar, "foreign expr_evaluate")
}

#[test]
fn an_expression_answers_as_in_envoy() {
    let table = [
        ("connection.id", r"0 \x01\x00\x00\x00\x00\x00\x00\x00"),
        ("connection.mtls", r"0 \x00"),
        ("xds.node.metadata['NAMESPACE']", "0 default"),
        ("xds.node.metadata['MISSING']", "10"),
        (
            "xds.node.metadata.LABELS['app'] + \":\" + xds.cluster_name",
            "0 ratings:server",
        ),
        ("xds.node.metadata['N']", r"0 \x00\x00\x00\x00\x00\x00\x08@"),
        ("node.metadata['NAMESPACE']", "10"),
        (
            "xds.cluster_metadata.filter_metadata['istio'].services[0].host",
            "0 h",
        ),
        (
            "xds.upstream_host_metadata.filter_metadata['istio'].workload",
            "0 w;n;s",
        ),
        ("xds.listener_direction == 1 ? \"in\" : \"out\"", "0 in"),
        ("peer.workload", "0 w"),
        ("peer[\"workload\"]", "0 w"),
        ("peer.labels['app']", "0 a"),
        ("peer.labels['app'].value", "10"),
        (
            "peer.labels",
            r"0 \x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00app\x00a\x00",
        ),
        ("filter_state['wasm.peer'].workload", "0 w"),
        ("filter_state['wasm.nothing']", "10"),
        ("peer.missing", "10"),
        ("has(peer.missing)", r"0 \x00"),
        (
            "has(peer.missing) ? peer.missing : \"unknown\"",
            "0 unknown",
        ),
        ("'app' in peer.labels", r"0 \x01"),
        ("size(peer)", r"0 \x02\x00\x00\x00\x00\x00\x00\x00"),
        ("string(connection.id)", "0 1"),
        ("\"abc\".matches(\"a.*\")", r"0 \x01"),
        ("int(\"3\")", r"0 \x03\x00\x00\x00\x00\x00\x00\x00"),
        ("[1, 2].exists(x, x == 1)", r"0 \x01"),
        ("bytes(\"x\")", "0 x"),
        ("null", "3"),
        ("filter_state", "3"),
        ("1/0", "10"),
        ("\"a\" + 1", "10"),
    ];
    let expressions = table.map(|(expression, _)| expression);
    let answers = evaluated(&expressions);
    for ((expression, expected), answer) in table.iter().zip(answers) {
        assert_eq!(&answer, expected, "{expression}");
    }
}

#[test]
fn a_function_that_does_not_exist_is_refused_and_takes_a_token() {
    let unknown = ["\"a\".lowerAscii()", "\"a\".split(\",\")", "math.max(1, 2)"].map(create);
    let script = format!(
        "new_connection: {}; {}; {}",
        unknown.join("; "),
        create("1 +"),
        create("1")
    );
    let sidecar = set_up(&script).start().unwrap();
    sidecar.connect();
    assert_eq!(
        answers(&sidecar, "foreign expr_create"),
        ["2", "2", "2", "2", r"0 \x03\x00\x00\x00"]
    );
}

#[test]
fn an_expression_sees_the_running_callbacks_context_and_not_the_effective_one() {
    let script = format!(
        "configure: tick 1000; {}; {}\ntick: effective 2; {}; {}; property connection_id; set_property t x; property t",
        create("connection.id"),
        create("plugin_name"),
        evaluate(0),
        evaluate(1),
    );
    let sidecar = set_up(&script).start().unwrap();
    sidecar.connect();
    sidecar.advance(std::time::Duration::from_secs(1));
    let lines = lines(&sidecar);
    let tick = lines.iter().skip_while(|line| !line.contains("tick()"));
    let answers: Vec<_> = tick
        .filter_map(|line| Some(line.split_once(" = ")?.1.trim()))
        .collect();
    let id = r"0 \x01\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(answers, ["0", "10", "0 ex", id, "0", "0 x"]);
}

/// The results for these paths after the property `peer` was set to these bytes.
fn read_back(configure: &str, bytes: &str, paths: &[&str]) -> Vec<String> {
    let paths: Vec<_> = paths
        .iter()
        .map(|path| format!("property {path}"))
        .collect();
    let script = format!(
        "configure: {configure}\nnew_connection: set_property peer {bytes}; {}",
        paths.join("; ")
    );
    let sidecar = set_up(&script).start().unwrap();
    sidecar.connect();
    answers(&sidecar, "property")
}

#[test]
fn a_declared_struct_can_be_walked() {
    let paths = [
        "peer",
        "peer/workload",
        "peer/labels/app",
        "filter_state/wasm.peer/labels",
        "filter_state/wasm.peer/workload",
        "wasm.peer/workload",
        "peer/missing",
    ];
    assert_eq!(
        read_back(DECLARE, PEER, &paths),
        [
            r"0 \n\x0f\n\x08workload\x12\x03\x1a\x01w\n\x18\n\x06labels\x12\x0e*\x0c\n\n\n\x03app\x12\x03\x1a\x01a",
            "0 w",
            "0 a",
            r"0 \x01\x00\x00\x00\x03\x00\x00\x00\x01\x00\x00\x00app\x00a\x00",
            "0 w",
            "1",
            "1",
        ]
    );
}

#[test]
fn what_is_not_of_its_type_is_there_and_cannot_be_read() {
    let paths = ["peer", "peer/workload", "filter_state/wasm.peer"];
    assert_eq!(read_back(DECLARE, "text", &paths), ["0 text", "1", "3"]);
    // Envoy does not know the schema `google.protobuf.Struct` without `type.googleapis.com/`.
    let bare = "foreign declare_property hex:0a0470656572180322\
                16676f6f676c652e70726f746f6275662e5374727563742802";
    let whole = read_back(bare, PEER, &paths);
    assert_eq!(whole[1..], ["1", "3"]);
    let undeclared = read_back("size 0", "text", &paths);
    assert_eq!(undeclared, ["0 text", "1", "0 text"]);
}

#[test]
fn a_property_is_declared_once_in_a_context() {
    let script = format!("configure: {DECLARE}; {DECLARE}\nnew_connection: {DECLARE}; {DECLARE}");
    let sidecar = set_up(&script).start().unwrap();
    sidecar.connect();
    let lines = lines(&sidecar);
    let declared = lines
        .iter()
        .filter(|line| line.contains("declare_property"));
    let statuses: Vec<_> = declared
        .filter_map(|line| Some(line.split_once(" = ")?.1.trim()))
        .collect();
    assert_eq!(statuses, ["0", "2", "0", "2"]);
}

#[test]
fn a_read_only_property_is_set_once() {
    // {name: "peer", readonly: true, type: String}; it has no effect in a stream.
    let script = "configure: foreign declare_property hex:0a0470656572100118012802\n\
                  new_connection: set_property peer x; set_property peer y; property peer";
    for (script, again, found) in [
        (script.to_owned(), "2", "0 x"),
        (
            script.replacen("configure", "new_connection", 1),
            "0",
            "0 y",
        ),
    ] {
        let sidecar = set_up(&script).start().unwrap();
        sidecar.connect();
        assert_eq!(answers(&sidecar, "set_property"), ["0", again]);
        assert_eq!(answers(&sidecar, "property"), [found]);
    }
}

#[test]
fn filter_state_of_others_is_walked_on_both_connections() {
    let paths = "property filter_state/downstream_peer/workload; property upstream_filter_state; \
                 property upstream_filter_state/upstream_peer/workload; property upstream_filter_state/text; property downstream_peer";
    let script = format!("new_connection: {paths}\ndownstream_data: {paths}");
    let peer = || Value::map([("workload", Value::from("w"))]);
    let sidecar = set_up(&script)
        .filter_state("downstream_peer", peer())
        .upstream_filter_state("upstream_peer", peer())
        .upstream_filter_state("text", "x")
        .start()
        .unwrap();
    sidecar.connect().client.write("x");
    assert_eq!(
        answers(&sidecar, "property"),
        ["0 w", "1", "1", "1", "1", "0 w", "3", "0 w", "0 x", "1"]
    );
}
