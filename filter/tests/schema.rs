//! The published JSON schema and the filter's parser agree on every document.

use jsonschema::Validator;
use serde_json::{Value, json};
use tcp_peer_stats_core::config::Config;

const SCHEMA: &str = include_str!("../../envoy-config/tcp-peer-stats.schema.json");

/// What one key or another may be.
const VALUES: &str = r#"[
    null, true, false, "true", "false", "yes",
    0, 1, -1, 1.5, 2.0, 15, 16, 512, 65535, 65536, 65537, 1000000, 1000001, 1048576, 1048577,
    "", "x", "a_b", "a-b", "1a", "a b", "ж",
    "0", "15s", "+1m30s", "1.5h", ".5s", "500ms", "5", "s", "-5s", "1d", "1s ", "5µs5ms",
    ";.;", "=.=", "||", ",", "/", ":", "_", ".", "a;", "\n;", "-", "->",
    "COUNTER", "GAUGE", "HISTOGRAM", "counter", "UNSPECIFIED", "SERVER_GATEWAY", "SOURCE", "DESTINATION",
    "auto", "on", "receive", "off", "AUTO",
    [], ["a"], [1], [0], [65535, 65536], [null], [[]], [{}],
    {}, {"a": "1"}, {"a b": "1"}, {"a": 1}, {"name": "mine"}, {"mode": "on"}, {"unknown": 1},
    [{"name": "mine", "value": "1"}], [{"value": "1"}], [{"dimensions": {"a": "1"}}]
]"#;

/// Puts an object of the configuration into a whole one.
type Around = fn(Value) -> Value;

/// The objects of a configuration: where the schema describes them, and a document around one.
const OBJECTS: [(&str, Around); 6] = [
    ("/properties", |object| object),
    (
        "/$defs/metric/properties",
        |object| json!({ "metrics": [object] }),
    ),
    ("/$defs/definition/properties", definition),
    (
        "/$defs/peer_exchange/properties",
        |object| json!({ "peer_exchange": object }),
    ),
    (
        "/$defs/limits/properties",
        |object| json!({ "limits": object }),
    ),
    (
        "/$defs/ports/properties",
        |object| json!({ "ports": object }),
    ),
];

/// A definition with what it must have besides.
fn definition(mut object: Value) -> Value {
    if let Some(map) = object.as_object_mut() {
        map.entry("name").or_insert_with(|| json!("mine"));
        map.entry("value").or_insert_with(|| json!("1"));
    }
    json!({ "definitions": [object] })
}

struct Judges {
    schema: Value,
    validator: Validator,
}

impl Judges {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let schema = serde_json::from_str(SCHEMA)?;
        let validator = jsonschema::draft202012::new(&schema)?;
        Ok(Self { schema, validator })
    }

    /// Whether both say the same; else what they say.
    fn agree(&self, document: &Value) -> Result<bool, String> {
        let parsed = Config::parse(document.to_string().as_bytes());
        let valid = self.validator.is_valid(document);
        match parsed {
            Ok(_) if valid => Ok(true),
            Err(_) if !valid => Ok(false),
            Ok(_) => Err(format!("only the parser takes {document}")),
            Err(fault) => Err(format!("only the schema takes {document}: {fault}")),
        }
    }

    fn keys(&self, object: &str) -> Vec<String> {
        let properties = self.schema.pointer(object).and_then(Value::as_object);
        properties
            .map(|keys| keys.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// What a schema cannot say: which metrics there are.
fn beyond_schemas(object: &str, key: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    object.contains("metric") && key == "name" && !text.is_empty()
}

#[test]
fn schema_and_parser_agree_on_every_key_and_value() -> Result<(), Box<dyn std::error::Error>> {
    let judges = Judges::new()?;
    let values: Vec<Value> = serde_json::from_str(VALUES)?;
    let (mut taken, mut faults) = (0, Vec::new());
    for (object, around) in OBJECTS {
        let keys = judges.keys(object);
        assert!(!keys.is_empty(), "{object}");
        for key in &keys {
            let mut taken_here = 0;
            for value in &values {
                if beyond_schemas(object, key, value) {
                    continue;
                }
                match judges.agree(&around(json!({ key.as_str(): value }))) {
                    Ok(verdict) => taken_here += usize::from(verdict),
                    Err(fault) => faults.push(fault),
                }
            }
            assert!(taken_here > 0, "no value is right for {object}/{key}");
            taken += taken_here;
        }
        for unknown in ["unknown", "Mode", "tcp-reporting-duration"] {
            faults.extend(judges.agree(&around(json!({ unknown: "1" }))).err());
        }
    }
    assert_eq!(faults, [""; 0], "{} documents taken", taken);
    assert!(taken > 100, "{taken}");
    Ok(())
}

#[test]
fn a_key_in_both_cases_is_refused_by_both() -> Result<(), Box<dyn std::error::Error>> {
    let judges = Judges::new()?;
    for document in [
        json!({ "stat_prefix": "a", "statPrefix": "a" }),
        json!({ "peer_exchange": { "advertise_alpn": true, "advertiseAlpn": true } }),
        json!({ "metrics": [{ "tags_to_remove": [], "tagsToRemove": [] }] }),
    ] {
        assert_eq!(judges.agree(&document), Ok(false), "{document}");
    }
    Ok(())
}

#[test]
fn every_key_of_the_parser_is_in_the_schema() -> Result<(), Box<dyn std::error::Error>> {
    let judges = Judges::new()?;
    for (object, around) in OBJECTS {
        let refusal = Config::parse(around(json!({ "unknown": 1 })).to_string().as_bytes());
        let refusal = refusal.err().ok_or("an unknown key was taken")?.to_string();
        let (_, allowed) = refusal
            .split_once("Allowed here: ")
            .ok_or_else(|| refusal.clone())?;
        let known = judges.keys(object);
        for key in allowed.split(", ") {
            assert!(
                known.iter().any(|known| known == key),
                "{object} lacks {key}"
            );
        }
    }
    Ok(())
}

#[test]
fn the_schema_takes_what_no_configuration_means() -> Result<(), Box<dyn std::error::Error>> {
    assert_eq!(Judges::new()?.agree(&json!({})), Ok(true));
    Ok(())
}
