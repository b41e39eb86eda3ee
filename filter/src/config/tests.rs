use super::*;
use crate::host::MetricKind;
use crate::labels::Reporter;

fn parsed(text: &str) -> Config {
    Config::parse(text.as_bytes()).expect(text)
}

fn refusal(text: &str) -> String {
    Config::parse(text.as_bytes()).expect_err(text).to_string()
}

fn cel(path: &str, text: &str) -> Cel {
    Cel {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}

#[test]
fn an_empty_configuration_has_the_defaults() {
    for text in [
        "",
        " \n",
        "{}",
        r#"{"peer_exchange": {}, "limits": {}, "ports": {}, "metrics": []}"#,
    ] {
        assert_eq!(parsed(text), Config::default(), "{text:?}");
    }
    assert_eq!(
        Config::default().tcp_reporting_duration,
        Duration::from_secs(15)
    );
}

#[test]
fn every_key_is_read() {
    let config = parsed(
        r#"{
            "tcp_reporting_duration": "2s",
            "stat_prefix": "acme", "field_separator": "||", "value_separator": "~",
            "response_flags_separator": "-",
            "reporter": "SERVER_GATEWAY", "debug": true, "extended_metrics": true,
            "metrics": [{
                "name": "mine", "dimensions": {"b": "1", "a": "node.id"}, "tags_to_remove": ["reporter"],
                "match": "true", "drop": false
            }],
            "definitions": [{"name": "mine", "value": "2", "type": "GAUGE"}],
            "peer_exchange": {
                "mode": "receive", "advertise_alpn": true, "protocols": ["x"], "clusters": ["a", "b"],
                "proof_duration": "2m"
            },
            "additional_labels": ["role"],
            "limits": {"max_series": 5, "max_label_length": 64, "max_frame_bytes": 1024, "peer_cache_bytes": 65536},
            "ports": {"include": [1, 65535], "exclude": [2]},
            "publish_peer": false
        }"#,
    );
    let expected = Config {
        naming: Naming {
            prefix: "acme".to_owned(),
            field_separator: "||".to_owned(),
            value_separator: "~".to_owned(),
            flag_separator: "-",
            max_value_len: 64,
        },
        tcp_reporting_duration: Duration::from_secs(2),
        metrics: vec![MetricConfig {
            name: "mine".to_owned(),
            dimensions: vec![
                ("a".to_owned(), cel("metrics[0].dimensions.a", "node.id")),
                ("b".to_owned(), cel("metrics[0].dimensions.b", "1")),
            ],
            tags_to_remove: vec!["reporter".to_owned()],
            condition: Some(cel("metrics[0].match", "true")),
            drop: false,
        }],
        definitions: vec![Definition {
            name: "mine".to_owned(),
            value: cel("definitions[0].value", "2"),
            kind: MetricKind::Gauge,
        }],
        reporter: Some(Reporter::Waypoint),
        debug: true,
        peer_exchange: PeerExchange {
            mode: Mode::Receive,
            advertise_alpn: true,
            protocols: vec!["x".to_owned()],
            clusters: vec!["a".to_owned(), "b".to_owned()],
            proof_duration: Duration::from_secs(120),
        },
        additional_labels: vec!["role".to_owned()],
        limits: Limits {
            max_series: 5,
            max_label_length: 64,
            max_frame_bytes: 1024,
            peer_cache_bytes: 65536,
        },
        ports: Ports {
            include: vec![1, 65535],
            exclude: vec![2],
        },
        extended_metrics: true,
        publish_peer: false,
        notices: Notices::default(),
    };
    assert_eq!(config, expected);
}

#[test]
fn a_key_in_camel_case_is_the_same_key() {
    let camel = r#"{
        "tcpReportingDuration": "2s", "statPrefix": "acme", "fieldSeparator": "||",
        "metrics": [{"tagsToRemove": ["reporter"], "dimensions": {"camelCase": "1"}}],
        "peerExchange": {"advertiseAlpn": false, "proofDuration": "2m"}, "extendedMetrics": true
    }"#;
    let snake = camel
        .replace("tcpReportingDuration", "tcp_reporting_duration")
        .replace("statPrefix", "stat_prefix")
        .replace("fieldSeparator", "field_separator")
        .replace("tagsToRemove", "tags_to_remove")
        .replace("peerExchange", "peer_exchange")
        .replace("advertiseAlpn", "advertise_alpn")
        .replace("proofDuration", "proof_duration")
        .replace("extendedMetrics", "extended_metrics");
    assert_eq!(parsed(camel), parsed(&snake));
    assert_eq!(parsed(camel).metrics[0].dimensions[0].0, "camelCase");
}

#[test]
fn booleans_may_be_in_quotes() {
    assert!(parsed(r#"{"debug": "true"}"#).debug);
    assert!(!parsed(r#"{"debug": "false"}"#).debug);
}

/// The numbers of a `WasmPlugin` are floating-point ones.
#[test]
fn whole_numbers_may_have_a_fraction_of_zero() {
    let limits = parsed(r#"{"limits": {"max_series": 100.0, "max_label_length": 65536}}"#).limits;
    assert_eq!((limits.max_series, limits.max_label_length), (100, 65536));
    assert_eq!(
        parsed(r#"{"limits": {"max_series": 0.1e1}}"#)
            .limits
            .max_series,
        1
    );
}

#[test]
fn every_mode_has_its_name() {
    for (name, mode) in Mode::NAMES {
        let text = format!(r#"{{"peer_exchange": {{"mode": "{name}"}}}}"#);
        assert_eq!(parsed(&text).peer_exchange.mode, mode);
        assert_eq!(mode.name(), name);
    }
}

#[test]
fn keys_without_effect_are_reported() {
    let config = parsed(
        r#"{
            "disable_host_header_fallback": true, "max_peer_cache_size": 100,
            "rotationInterval": "1h", "graceful_deletion_interval": "5m",
            "definitions": [
                {"name": "requests_total", "value": "1"},
                {"name": "tcp_sent_bytes_total", "value": "1"},
                {"name": "tcp_series_overflow_total", "value": "1"}
            ],
            "metrics": [
                {"name": "request_bytes", "drop": true},
                {"tags_to_remove": ["source_workloads", "response_flags", "mine"], "dimensions": {"mine": "1"}},
                {"name": "requests_total", "tags_to_remove": ["grpc_response_status"], "dimensions": {"app": "1 +"}}
            ]
        }"#,
    );
    let mut lines: Vec<&str> = config.notices.lines().collect();
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "definitions[0] has no effect: requests_total is a metric already",
            "definitions[1] has no effect: tcp_sent_bytes_total is a metric already",
            "definitions[2] has no effect: tcp_series_overflow_total is a metric already",
            "disable_host_header_fallback has no effect: TCP has no host header",
            "graceful_deletion_interval has no effect: series are kept",
            "max_peer_cache_size has no effect: the cache of peers has a fixed size",
            "metrics[0] (request_bytes), metrics[2] (requests_total) ignored: metrics of HTTP are not recorded",
            "metrics[1].tags_to_remove[0] has no effect: no metric of TCP has a label \
             \"source_workloads\" (nearest: \"source_workload\")",
            "rotationInterval has no effect: series are kept",
        ]
    );
    assert_eq!(config.definitions, []);
}

#[test]
fn ports_are_included_and_excluded() {
    let ports = |text: &str| parsed(&format!(r#"{{"ports": {text}}}"#)).ports;
    assert!(ports("{}").is_all());
    assert!(ports(r#"{"include": [1]}"#).contains(1));
    assert!(!ports(r#"{"include": [1]}"#).contains(2));
    assert!(ports(r#"{"exclude": [1]}"#).contains(2));
    assert!(!ports(r#"{"exclude": [1]}"#).contains(1));
    assert!(!ports(r#"{"include": [1], "exclude": [1]}"#).contains(1));
}

#[test]
fn an_error_has_the_place_the_reason_and_the_remedy() {
    for (text, refused) in [
        (
            r#"{"peer_exchange": {"mod": "on"}}"#,
            "peer_exchange.mod: no such key; did you mean \"mode\"? \
             Allowed here: mode, advertise_alpn, protocols, clusters, proof_duration",
        ),
        (
            r#"{"peer_exchange": {"clusters": ["a", 7]}}"#,
            "peer_exchange.clusters[1]: expected a string, found the number 7",
        ),
        (
            r#"{"peer_exchange": {"mode": "maybe"}}"#,
            r#"peer_exchange.mode: "maybe" does not exist; did you mean "auto"? Allowed here: auto, on, receive, off"#,
        ),
        (
            r#"{"peer_exchange": {"advertise_alpn": "yes"}}"#,
            r#"peer_exchange.advertise_alpn: expected true or false, found the string "yes""#,
        ),
        (
            r#"{"tcp_reporting_duration": "-5s"}"#,
            r#"tcp_reporting_duration: "-5s" is negative; write 0 or more"#,
        ),
        (
            r#"{"tcp_reporting_duration": 15}"#,
            "tcp_reporting_duration: expected a string, found the number 15",
        ),
        (
            r#"{"stat_prefix": "a b"}"#,
            r#"stat_prefix: "a b" is no name; write letters, digits and _, and no digit first"#,
        ),
        (
            r#"{"field_separator": "_"}"#,
            "field_separator: \"_\" is no separator; one of its characters has to be none of letters, \
             digits, control characters and . _ - / :",
        ),
        (
            r#"{"stat_prefix": "a", "statPrefix": "b"}"#,
            "stat_prefix: given twice",
        ),
        (
            r#"{"definitions": [{"name": "a", "value": "1"}, {"name": "a", "value": "2"}]}"#,
            "definitions[1].name: given twice",
        ),
        (
            r#"{"definitions": [{"name": "a"}]}"#,
            "definitions[0].value: must be given",
        ),
        (
            r#"{"definitions": [{"name": "a", "value": "1", "type": "COUNT"}]}"#,
            "definitions[0].type: \"COUNT\" does not exist; did you mean \"COUNTER\"? \
             Allowed here: COUNTER, GAUGE, HISTOGRAM",
        ),
        (
            r#"{"metrics": [{}, {"dimensions": {"a-b": "1"}}]}"#,
            r#"metrics[1].dimensions.a-b: "a-b" is no name; write letters, digits and _, and no digit first"#,
        ),
        (
            r#"{"metrics": [{"dimensions": {"a": 1}}]}"#,
            "metrics[0].dimensions.a: expected a string, found the number 1",
        ),
        (
            r#"{"ports": {"include": [0]}}"#,
            "ports.include[0]: 0 is not between 1 and 65535",
        ),
        (
            r#"{"limits": {"max_series": -1}}"#,
            "limits.max_series: expected a whole number, found the number -1",
        ),
        (
            r#"{"limits": {"max_series": 100.5}}"#,
            "limits.max_series: expected a whole number, found the number 100.5",
        ),
        ("[]", "the configuration: expected an object, found a list"),
        ("null", "the configuration: expected an object, found null"),
        (
            r#"{"peer_exchange": null}"#,
            "peer_exchange: expected an object, found null",
        ),
    ] {
        assert_eq!(refusal(text), refused, "{text}");
    }
    let metric = refusal(r#"{"metrics": [{"name": "tcp_send_bytes_total"}]}"#);
    assert!(
        metric.starts_with("metrics[0].name: \"tcp_send_bytes_total\" does not exist; did you mean \"tcp_sent_bytes_total\"?"),
        "{metric}"
    );
    let key = refusal(r#"{"tcp_reporting_duraton": "5s"}"#);
    assert!(
        key.starts_with("tcp_reporting_duraton: no such key; did you mean \"tcp_reporting_duration\"? Allowed here: "),
        "{key}"
    );
    assert!(refusal("{").starts_with("the configuration is not JSON: "));
    assert!(refusal("\n{").starts_with("the configuration is not JSON: "));
    // `{"debug": true}` as a google.protobuf.Struct.
    let binary = refusal("\n\x0b\n\x05debug\x12\x02 \x01");
    assert!(binary.contains("google.protobuf.StringValue"), "{binary}");
    assert!(Config::parse(b"\xff").is_err());
}

/// Prometheus shows the metrics with their prefix and histograms by their series, and so do
/// configurations.
#[test]
fn entries_for_metrics_of_http_are_left_out() {
    for name in [
        "requests_total",
        "istio_requests_total",
        "request_duration_milliseconds",
        "request_duration_milliseconds_bucket",
        "request_bytes",
        "istio_request_bytes_sum",
        "response_bytes_count",
        "request_messages_total",
        "istio_response_messages_total",
    ] {
        let config = parsed(&format!(
            r#"{{"metrics": [{{"name": "{name}", "match": "request.method ==", "dimensions": {{"a": "istio_x"}}}}]}}"#
        ));
        assert_eq!(config.metrics, [], "{name}");
        assert_eq!(config.notices.lines().count(), 1, "{name}");
    }
    let config = parsed(r#"{"metrics": [{"name": "istio_tcp_sent_bytes_total", "drop": true}]}"#);
    assert_eq!(config.metrics[0].name, "tcp_sent_bytes_total");
    let refused = refusal(r#"{"metrics": [{"name": "istio_tcp_send_bytes_total"}]}"#);
    assert!(
        refused.contains("did you mean \"tcp_sent_bytes_total\"?"),
        "{refused}"
    );
}

#[test]
fn labels_with_the_same_ending_are_reported_with_the_remedy() {
    let tag = |label: &str| format!(r"(?:^wasmcustom\.|;\.;)({label}=\.=(.*?);\.;)");
    for (dimensions, hints) in [
        (
            r#"{"cc_tenant": "1", "tenant": "1"}"#,
            vec![("tenant", "tenant", "cc_tenant")],
        ),
        (
            r#"{"app": "1"}"#,
            vec![
                ("app", "app", "source_app"),
                ("app", "app", "destination_app"),
            ],
        ),
        (
            r#"{"my_source_app": "1"}"#,
            vec![("my_source_app", "source_app", "my_source_app")],
        ),
        (
            r#"{"cc_result": "1"}"#,
            vec![("cc_result", "result", "cc_result")],
        ),
        (r#"{"org": "1", "tenant": "1", "source_app": "1"}"#, vec![]),
    ] {
        let config = parsed(&format!(
            r#"{{"metrics": [{{"dimensions": {dimensions}}}]}}"#
        ));
        let expected: Vec<String> = hints
            .into_iter()
            .map(|(place, label, longer)| {
                format!(
                    "metrics[0].dimensions.{place}: {label} ends like {longer}; its expression in \
                     stats_tags has to be {}",
                    tag(label)
                )
            })
            .collect();
        assert_eq!(
            config.notices.lines().collect::<Vec<_>>(),
            expected,
            "{dimensions}"
        );
    }
    let across = parsed(
        r#"{"field_separator": "||", "metrics": [
            {"name": "tcp_sent_bytes_total", "dimensions": {"tenant": "1"}},
            {"dimensions": {"tenant": "2", "cc_tenant": "1"}}
        ]}"#,
    );
    assert_eq!(
        across.notices.lines().collect::<Vec<_>>(),
        [
            r"metrics[0].dimensions.tenant: tenant ends like cc_tenant; its expression in stats_tags has to be (?:^wasmcustom\.|\|\|)(tenant=\.=(.*?)\|\|)"
        ]
    );
}

#[test]
fn a_key_of_an_earlier_version_is_accepted_with_a_notice() {
    let config = parsed(r#"{"peer_exchange": {"refused_duration": "1m"}}"#);
    let notices: Vec<_> = config.notices.lines().collect();
    let [notice] = notices.as_slice() else {
        panic!("{notices:?}");
    };
    assert!(
        notice.contains("peer_exchange.refused_duration"),
        "{notice}"
    );
}
