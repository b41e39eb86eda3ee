//! Lines of the log.

use std::sync::Once;

use ::log::{LevelFilter, Log, Metadata, Record, set_logger, set_max_level};
use peer_exchange::{MAGIC, TYPE_URL};

use super::*;

thread_local! {
    static LINES: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// A process has one logger: this one keeps the lines of each test's thread apart.
struct PerThread;

impl Log for PerThread {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = format!("{} {}", record.level(), record.args());
        LINES.with(|lines| lines.borrow_mut().push(line));
    }

    fn flush(&self) {}
}

/// The lines that `act` logs.
fn logged(act: impl FnOnce()) -> Vec<String> {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        set_logger(&PerThread).expect("no other logger");
        set_max_level(LevelFilter::Trace);
    });
    LINES.take();
    act();
    LINES.take()
}

fn assert_has(lines: &[String], part: &str) {
    assert!(
        lines.iter().any(|line| line.contains(part)),
        "no {part:?} in {lines:#?}"
    );
}

/// A frame with this payload.
fn frame_of(payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a short payload");
    [&MAGIC[..], &length.to_be_bytes(), payload].concat()
}

#[test]
fn the_start_logs_node_mode_and_interval() {
    let host = host(&["envoy.filters.network.metadata_exchange"]);
    let lines = logged(|| {
        Sim::mode(&host, "auto");
    });
    assert_has(
        &lines,
        r#"node "my-id", peer exchange off (configured auto; native exchange"#,
    );
    assert_has(
        &lines,
        "first connection, filter chain \"\", reporter source",
    );
}

#[test]
fn a_reporter_that_contradicts_the_listener_is_logged_and_ignored() {
    let contradiction = "WARN reporter: the configuration says ";
    for (configured, direction, expected, is_logged) in [
        ("DESTINATION", 2, "source", true),
        ("SOURCE", 1, "destination", true),
        ("DESTINATION", 1, "destination", false),
        ("SOURCE", 2, "source", false),
        // A listener without a direction contradicts nothing.
        ("DESTINATION", 0, "destination", false),
        ("UNSPECIFIED", 0, "source", false),
        ("SERVER_GATEWAY", 2, "waypoint", false),
    ] {
        let host = outbound();
        host.set("xds.listener_direction", i64::to_le_bytes(direction));
        let mut counted = 0;
        let lines = logged(|| {
            let configuration = format!(r#"{{"reporter": "{configured}"}}"#);
            let sim = Sim::new(&host, &configuration);
            sim.close();
            sim.plugin
                .on_new_connection(3)
                .expect("another")
                .borrow_mut()
                .on_close();
            counted = sim.counts(&[&format!("reporter=.={expected};")]).0;
        });
        let found = lines.iter().filter(|line| line.contains(contradiction));
        assert_eq!(
            found.count(),
            usize::from(is_logged),
            "{configured} {direction}: {lines:#?}"
        );
        assert_eq!(counted, 2, "{configured} {direction}");
    }
}

/// Only the first connection's listener is compared.
#[test]
fn a_configured_reporter_saves_the_question_for_the_direction() {
    for (configured, is_asked) in [("SOURCE", false), ("UNSPECIFIED", true)] {
        let host = outbound();
        let sim = Sim::new(&host, &format!(r#"{{"reporter": "{configured}"}}"#));
        host.set("xds.listener_direction", 1i64.to_le_bytes());
        let next = sim.plugin.on_new_connection(3).expect("a connection");
        next.borrow_mut().on_close();
        let (source, destination) = (
            sim.counts(&["reporter=.=source;"]).0,
            sim.counts(&["reporter=.=destination;"]).0,
        );
        assert_eq!(
            (source, destination),
            (u64::from(!is_asked), u64::from(is_asked))
        );
    }
}

#[test]
fn a_malformed_or_missing_node_is_logged() {
    let host = FakeHost::default();
    host.set("xds.node", [0xff]);
    let lines = logged(|| {
        Sim::mode(&host, "auto");
    });
    assert_has(&lines, "WARN decoding xds.node failed");
    assert_has(
        &lines,
        "WARN the host has no node: this workload's labels are unknown",
    );
}

#[test]
fn a_bad_frame_is_logged_with_the_address_of_its_sender() {
    let no_metadata = [&[0x0a, TYPE_URL.len() as u8], TYPE_URL.as_bytes()].concat();
    for (result, stream, rest, line) in [
        (
            "malformed",
            frame_of(&[0xff]),
            "query",
            Some("malformed frame"),
        ),
        ("no_metadata", frame_of(&no_metadata), "query", None),
        (
            "duplicate",
            peer_frame().repeat(2),
            "",
            Some("a second frame follows the first: the peer has two exchange filters"),
        ),
        (
            "too_large",
            [&MAGIC[..], &[0xff; 4]].concat(),
            "",
            Some(
                "oversized frame: its payload of 4294967295 bytes is longer than the accepted 65536; connection closed",
            ),
        ),
    ] {
        let host = inbound();
        host.set("source.address", "10.0.0.7:40000");
        let sim = Sim::mode(&host, "auto");
        let mut passed = Vec::new();
        let lines = logged(|| passed = sim.down(&[stream, b"query".to_vec()].concat()));
        match line {
            Some(line) => assert_has(&lines, &format!("10.0.0.7:40000: {line}")),
            None => assert!(
                lines.iter().all(|line| !line.starts_with("WARN")),
                "{lines:?}"
            ),
        }
        match result {
            "duplicate" => assert_eq!(passed, [peer_frame(), b"query".to_vec()].concat()),
            _ => assert_eq!(passed, rest.as_bytes(), "{result}"),
        }
        assert_eq!(sim.outcome(result), 1, "{result}");
        assert_eq!(host.closed.get(), result == "too_large", "{result}");
    }
}

#[test]
fn an_incomplete_frame_is_counted() {
    let host = inbound();
    let sim = Sim::mode(&host, "auto");
    let frame = peer_frame();
    let half = &frame[..frame.len() / 2];
    host.data.replace(half.to_vec());
    let mut connection = sim.connection.borrow_mut();
    let flow = connection.on_data(Buffer::Downstream, half.len(), true);
    drop(connection);
    assert_eq!(flow, Flow::Continue);
    assert_eq!(host.data.take(), b"");
    assert_eq!(sim.outcome("truncated"), 1);
}

#[test]
fn a_failed_read_of_the_buffer_is_logged_and_closes_the_connection() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    sim.down(b"query");
    host.fail_only
        .set(Some((host.hostcalls.get() + 1, Status(10))));
    let lines = logged(|| {
        sim.up(&peer_frame());
    });
    let reason = "reading the buffer failed: InternalFailure (10)";
    assert_has(
        &lines,
        &format!("10.0.0.1:5432: {reason}; connection closed"),
    );
    assert!(host.closed.get());
    // Later bytes are not passed on.
    assert_eq!(sim.up(b"answer"), b"");
}

#[test]
fn a_frame_that_a_server_does_not_answer_is_logged_with_its_address() {
    let host = outbound();
    let ask = |answer: &[u8]| {
        let sim = Sim::new(&host, "");
        sim.down(b"query");
        logged(|| {
            sim.up(answer);
        })
    };
    assert_eq!(ask(&peer_frame()), [""; 0]);
    let line = "WARN 10.0.0.1:5432 (cluster outbound|5432||db.data.svc.cluster.local) did not \
                answer a frame with one: if it lost its exchange filter, its application received \
                the frame; it gets no other for 60s";
    assert_has(&ask(b"what is this?"), line);
    assert_eq!(ask(b"answer"), [""; 0]);
}

#[test]
fn a_proof_that_the_host_does_not_store_is_logged() {
    let host = outbound();
    let sim = Sim::new(&host, "");
    sim.down(b"query");
    let frame = peer_frame();
    let before = host.hostcalls.get();
    let clean = logged(|| {
        sim.up(&frame);
    });
    assert_eq!(clean, [""; 0]);
    let last = host.hostcalls.get() - before;
    let line = "WARN storing that 10.0.0.1:5432 (cluster outbound|5432||db.data.svc.cluster.local) \
                reads frames failed: Unimplemented (12); it gets none";
    let is_logged = |call| {
        let host = outbound();
        let sim = Sim::new(&host, "");
        sim.down(b"query");
        let call = host.hostcalls.get() + call;
        host.fail_only.set(Some((call, Status(12))));
        logged(|| {
            sim.up(&frame);
        })
        .iter()
        .any(|logged| logged == line)
    };
    assert!((1..=last).any(is_logged));
}

#[test]
fn debug_logs_the_labels_of_each_connection() {
    let host = inbound();
    let sim = Sim::new(&host, r#"{"debug": true}"#);
    let lines = logged(|| {
        sim.down(&[peer_frame(), b"query".to_vec()].concat());
    });
    assert_has(&lines, "INFO connection: ");
    assert_has(&lines, "source_workload=.=peer;");
}

#[test]
fn a_failed_change_of_the_context_is_logged() {
    let host = outbound();
    let sim = Sim::mode(&host, "auto");
    sim.plugin.on_tick();
    let before = host.hostcalls.get();
    sim.plugin.on_tick();
    let calls = host.hostcalls.get() - before;
    let logged = (1..=calls).any(|call| {
        let host = outbound();
        let sim = Sim::mode(&host, "auto");
        sim.plugin.on_tick();
        host.fail_only
            .set(Some((host.hostcalls.get() + call, Status(2))));
        let lines = logged(|| sim.plugin.on_tick());
        lines.iter().any(|line| {
            line.contains("returning to the plugin's own context failed: BadArgument (2)")
        })
    });
    assert!(logged, "none of {calls} calls");
}

#[test]
fn attributes_without_a_tcp_value_are_logged_by_place() {
    let host = outbound();
    let config = r#"{
        "metrics": [
            {"match": "request.method == 'GET'", "dimensions": {"operation": "istio_operationId + request.host"}},
            {"name": "requests_total", "dimensions": {"host": "request.host"}},
            {"name": "response_bytes", "match": "response.code"}
        ],
        "definitions": [{"name": "mine", "value": "response.code"}]
    }"#;
    let lines = logged(|| {
        Plugin::configure(&host, 1, config.as_bytes()).expect(config);
    });
    let warnings: Vec<_> = lines
        .iter()
        .filter(|line| line.starts_with("WARN"))
        .collect();
    assert_eq!(
        warnings,
        [
            "WARN definitions[0].value: TCP connections do not have response.code, HTTP requests do; \
             an expression that uses it has no value",
            "WARN metrics[0].match: TCP connections do not have request.method, HTTP requests do; \
             an expression that uses it has no value",
            "WARN metrics[0].dimensions.operation: TCP connections do not have istio_operationId unless \
             another filter sets it (a text has quotes of its own: 'istio_operationId'); an expression that \
             uses it has no value",
            "WARN metrics[0].dimensions.operation: TCP connections do not have request.host, HTTP \
             requests do; an expression that uses it has no value",
            "WARN metrics[1] (requests_total), metrics[2] (response_bytes) ignored: metrics of HTTP are \
             not recorded",
        ]
    );
}

/// A receiver closes every connection with a frame that announces more than its limit.
#[test]
fn a_frame_over_the_limit_is_sent_without_the_fields_that_do_not_fit() {
    let long = |len: usize| Value::from("x".repeat(len).as_str());
    let role = |len: usize| Value::from(Struct::from_iter([("role", long(len))]));
    for (key, value, limits, sent) in [
        ("LABELS", role(65_000), "{}", None),
        (
            "LABELS",
            role(70_000),
            r#"{"max_frame_bytes": 100000}"#,
            None,
        ),
        (
            "NAME",
            long(70_000),
            "{}",
            Some((Frame::new(Struct::default(), ""), "any metadata")),
        ),
    ] {
        let host = outbound();
        let mut node = node(&[]);
        if let Some(metadata) = &mut node.metadata {
            metadata.insert(key, value);
        }
        host.set("xds.node", node.encode_to_vec());
        let config = format!(
            r#"{{"additional_labels": ["role"], "limits": {limits}, "peer_exchange": {{"mode": "on"}}}}"#
        );
        let mut bytes = Vec::new();
        let lines = logged(|| bytes = Sim::new(&host, &config).down(b"query"));
        let error = lines.iter().find(|line| line.starts_with("ERROR"));
        match sent {
            None => assert!(error.is_none() && bytes.len() > 65_000, "{error:?}"),
            Some((frame, without)) => {
                assert_eq!(bytes, [frame.encode(), b"query".to_vec()].concat());
                let error = error.expect("a line");
                let parts = [" bytes, more than the 65536 that peers accept", without];
                assert!(parts.iter().all(|part| error.contains(part)), "{error}");
            }
        }
    }
}
