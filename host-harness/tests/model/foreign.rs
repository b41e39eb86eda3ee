//! Foreign functions: expressions and filter state.

use super::{probe, stream_lines};

/// The results of `expr_evaluate` for these expressions in `proxy_on_new_connection`.
fn evaluate(expressions: &[&str]) -> Vec<String> {
    let action = |(token, expression): (usize, &&str)| {
        let hex: String = expression
            .bytes()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        format!("foreign expr_create hex:{hex}; foreign expr_evaluate hex:{token:02x}000000")
    };
    let actions: Vec<_> = expressions.iter().enumerate().map(action).collect();
    let sidecar = probe(&format!("new_connection: {}", actions.join("; ")))
        .start()
        .unwrap();
    sidecar.connect();
    let lines = stream_lines(&sidecar);
    let answers = lines.iter().filter(|line| line.contains("expr_evaluate"));
    answers
        .filter_map(|line| Some(line.split_once(" = ")?.1.to_owned()))
        .collect()
}

#[test]
fn an_expression_is_evaluated_and_encoded_as_a_property_is() {
    let expressions = [
        "1 + 2",
        "source.address",
        r#""a" + "b""#,
        "[1u]",
        r#"{"a": 1}"#,
        "true",
        r#""a" == "b""#,
        "connection.mtls && true",
        r#""abc".startsWith("a")"#,
        "1.5",
    ];
    assert_eq!(
        evaluate(&expressions),
        [
            r"0 \x03\x00\x00\x00\x00\x00\x00\x00",
            "0 127.0.0.1:40000",
            "0 ab",
            r"0 \x01\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            r"0 \x01\x00\x00\x00\x01\x00\x00\x00\x08\x00\x00\x00a\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00",
            r"0 \x01",
            r"0 \x00",
            r"0 \x00",
            r"0 \x01",
            r"0 \x00\x00\x00\x00\x00\x00\xf8?",
        ]
    );
}

#[test]
fn what_is_not_there_fails_inside_and_what_has_no_encoding_in_serialization() {
    let expressions = [
        "nosuch.thing",
        "nosuch",
        "upstream.address",
        "1/0",
        "null",
        "connection",
    ];
    assert_eq!(evaluate(&expressions), ["10", "10", "10", "10", "3", "3"]);
}

#[test]
fn tokens_count_from_zero_and_unknown_ones_are_not_found() {
    let script = "new_connection: foreign expr_evaluate hex:00000000; foreign expr_create hex:31; \
                  foreign expr_create hex:312b; foreign expr_create hex:32; foreign expr_delete hex:00000000; \
                  foreign expr_evaluate hex:00000000; foreign expr_delete hex:09000000; foreign expr_evaluate hex:00";
    let sidecar = probe(script).start().unwrap();
    sidecar.connect();
    assert_eq!(
        stream_lines(&sidecar)[2..],
        [
            "foreign expr_evaluate hex:00000000 = 1",
            r"foreign expr_create hex:31 = 0 \x00\x00\x00\x00",
            "foreign expr_create hex:312b = 2",
            r"foreign expr_create hex:32 = 0 \x01\x00\x00\x00",
            "foreign expr_delete hex:00000000 = 0",
            "foreign expr_evaluate hex:00000000 = 1",
            "foreign expr_delete hex:09000000 = 0",
            "foreign expr_evaluate hex:00 = 2"
        ]
    );
}

#[test]
fn filter_state_needs_a_factory_and_a_property_is_declared_once() {
    // {path: "envoy.string", value: "x"}; {path: "nosuch", value: "x"}; {name: "p"}.
    let script = "new_connection: foreign set_envoy_filter_state hex:0a0c656e766f792e737472696e67120178; \
                  foreign set_envoy_filter_state hex:0a066e6f73756368120178; foreign set_envoy_filter_state hex:ff; \
                  foreign declare_property hex:0a0170; foreign declare_property hex:0a0170; \
                  foreign clear_route_cache; foreign nosuch";
    let sidecar = probe(script).start().unwrap();
    let connection = sidecar.connect();
    let statuses: Vec<_> = stream_lines(&sidecar)[2..]
        .iter()
        .map(|line| line.rsplit_once("= ").unwrap().1.to_owned())
        .collect();
    assert_eq!(statuses, ["0", "1", "2", "0", "2", "0", "1"]);
    assert_eq!(connection.filter_state("envoy.string"), Some(b"x".to_vec()));
}
