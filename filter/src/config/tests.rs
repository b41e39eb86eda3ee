use super::*;

fn refusal(text: &str) -> String {
    Config::parse(text.as_bytes()).expect_err(text).to_string()
}

#[test]
fn nothing_means_the_defaults() {
    for text in ["", " \n", "{}", r#"{"peer_exchange": {}}"#] {
        assert_eq!(
            Config::parse(text.as_bytes()),
            Ok(Config::default()),
            "{text:?}"
        );
    }
    assert_eq!(
        Config::default().tcp_reporting_duration,
        Duration::from_secs(15)
    );
}

#[test]
fn every_key_is_read() {
    let config = Config::parse(
        br#"{
            "tcp_reporting_duration": "2s",
            "peer_exchange": {"mode": "receive", "advertise_alpn": false, "clusters": ["a", "b"]},
            "additional_labels": ["role"]
        }"#,
    );
    let expected = Config {
        tcp_reporting_duration: Duration::from_secs(2),
        peer_exchange: PeerExchange {
            mode: Mode::Receive,
            advertise_alpn: false,
            clusters: vec!["a".to_owned(), "b".to_owned()],
        },
        additional_labels: vec!["role".to_owned()],
    };
    assert_eq!(config, Ok(expected));
}

#[test]
fn every_mode_has_its_name() {
    for (name, mode) in Mode::NAMES {
        let text = format!(r#"{{"peer_exchange": {{"mode": "{name}"}}}}"#);
        let parsed = Config::parse(text.as_bytes()).expect("a mode");
        assert_eq!(parsed.peer_exchange.mode, mode);
        assert_eq!(mode.name(), name);
    }
}

#[test]
fn a_refusal_names_the_place_the_finding_and_the_remedy() {
    assert_eq!(
        refusal(r#"{"peer_exchange": {"mod": "on"}}"#),
        r#"peer_exchange.mod: no such key; did you mean "mode"? Allowed here: mode, advertise_alpn, clusters"#
    );
    assert_eq!(
        refusal(r#"{"peer_exchange": {"clusters": ["a", 7]}}"#),
        "peer_exchange.clusters[1]: expected a string, found the number 7"
    );
    assert_eq!(
        refusal(r#"{"peer_exchange": {"mode": "maybe"}}"#),
        r#"peer_exchange.mode: "maybe" is none of: auto, on, receive, off"#
    );
    assert_eq!(
        refusal(r#"{"peer_exchange": {"advertise_alpn": "yes"}}"#),
        r#"peer_exchange.advertise_alpn: expected true or false, found the string "yes""#
    );
    assert_eq!(
        refusal(r#"{"tcp_reporting_duration": "-5s"}"#),
        r#"tcp_reporting_duration: "-5s" is negative; a period is 0 (report only at close) or longer"#
    );
    assert_eq!(
        refusal(r#"{"tcp_reporting_duration": 15}"#),
        "tcp_reporting_duration: expected a string, found the number 15"
    );
    assert_eq!(
        refusal(r#"{"tcp_reporting_duraton": "5s"}"#),
        "tcp_reporting_duraton: no such key; did you mean \"tcp_reporting_duration\"? \
         Allowed here: tcp_reporting_duration, peer_exchange, additional_labels"
    );
    assert_eq!(
        refusal("[]"),
        "the configuration: expected an object, found a list"
    );
    assert_eq!(
        refusal("null"),
        "the configuration: expected an object, found null"
    );
    assert_eq!(
        refusal(r#"{"peer_exchange": null}"#),
        "peer_exchange: expected an object, found null"
    );
    assert!(
        refusal("{").starts_with("the configuration is not JSON: "),
        "{}",
        refusal("{")
    );
    assert!(Config::parse(b"\xff").is_err());
}
