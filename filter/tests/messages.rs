//! Messages for users: every error names the cause and the remedy.

use tcp_peer_stats_core::ExpressionError;
use tcp_peer_stats_core::config::Config;
use tcp_peer_stats_core::host::Status;

#[test]
fn a_status_has_name_and_number() {
    let names = [
        "NotFound",
        "BadArgument",
        "SerializationFailure",
        "ParseFailure",
        "BadExpression",
        "InvalidMemoryAccess",
        "Empty",
        "CasMismatch",
        "ResultMismatch",
        "InternalFailure",
        "BrokenConnection",
        "Unimplemented",
        "unknown status",
    ];
    for (number, name) in (1..).zip(names) {
        assert_eq!(Status(number).to_string(), format!("{name} ({number})"));
    }
}

#[test]
fn an_expression_is_refused_with_the_closest_name_that_exists() {
    let unknown = |name: &str| name.to_owned();
    for (error, message) in [
        (
            ExpressionError::OpenString,
            "has a string that does not end",
        ),
        (
            ExpressionError::UnknownName {
                name: unknown("conection"),
                nearest: "connection",
            },
            "has the name \"conection\", which does not exist; did you mean \"connection\"? (For another \
             filter's property write filter_state['conection'])",
        ),
        (
            ExpressionError::UnknownPeerField {
                name: unknown("lables"),
                nearest: "labels",
            },
            "has the peer field \"lables\", which does not exist; did you mean \"labels\"?",
        ),
        (
            ExpressionError::Refused(Status::BAD_ARGUMENT),
            "does not compile: BadArgument (2); the host's log has the details",
        ),
        (
            ExpressionError::NoCel,
            "cannot be used: this host has no CEL",
        ),
    ] {
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_duration_is_refused_with_what_is_wrong_with_it() {
    for (duration, message) in [
        ("15", "is no duration; write a number and a unit"),
        ("-1s", "is negative; write 0 or more"),
        ("1us", "is shorter than 1ms"),
        ("2000h", "is longer than 1193h"),
    ] {
        let configuration = format!(r#"{{"tcp_reporting_duration": "{duration}"}}"#);
        let error = Config::parse(configuration.as_bytes())
            .err()
            .map(|error| error.to_string());
        let error = error.unwrap_or_default();
        assert!(error.contains("tcp_reporting_duration"), "{error}");
        assert!(error.contains(message), "{duration}: {error}");
    }
}
