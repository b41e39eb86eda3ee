//! Checks every wire vector, for every split of its bytes.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)] // A panic fails the test.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

mod check;
mod fields;
mod json;
mod receiver;
mod sender;
mod stream;

use serde_json::{Value, json};

use crate::check::check;

const FILE: &str = include_str!("../../vectors/peer-exchange.json");

// Shows: filter/docs/compatibility.md, "the frames of 1.7 and of today's Istio, read and written"
// Shows: filter/docs/operations.md, "exchange in both directions: the frames are Istio's"
#[test]
fn every_vector_has_the_expected_result() {
    let report = check(FILE).unwrap();

    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, [""; 0]);
    assert_eq!(report.passed, 69 + 12);
}

/// The report on one vector of the file with another value of a field.
fn report_with(vector: &str, pointer: &str, value: Value) -> String {
    let file: Value = serde_json::from_str(FILE).unwrap();
    let list = if vector.starts_with("v17-") {
        "sender_vectors"
    } else {
        "vectors"
    };
    let mut vectors = file[list].as_array().unwrap().iter();
    let mut vector = vectors
        .find(|candidate| candidate["name"] == vector)
        .unwrap()
        .clone();
    *vector.pointer_mut(pointer).unwrap() = value;
    match check(&json!({ list: [vector] }).to_string()) {
        Ok(report) => report.failures.iter().map(ToString::to_string).collect(),
        Err(error) => error.to_string(),
    }
}

#[test]
fn every_field_is_compared() {
    let cases = [
        (
            "split-many",
            "/expect",
            json!("no-metadata"),
            "state, in one piece: expected no-metadata",
        ),
        (
            "split-many",
            "/consumed",
            json!(171),
            "consumed, in one piece: expected 171, got 172",
        ),
        (
            "split-many",
            "/rest_hex",
            json!("77"),
            "rest, in one piece: expected 1 bytes 77, got 6",
        ),
        (
            "split-many",
            "/decoded/struct",
            json!({}),
            "struct, in one piece: expected {}, got {",
        ),
        (
            "split-many",
            "/decoded/peer_id",
            json!(null),
            "peer_id, in one piece: expected None",
        ),
        (
            "split-many",
            "/decoded/peer/modern/app",
            json!("x"),
            "label app, in one piece: expected x",
        ),
        (
            "split-many",
            "/steps/1/state",
            json!("ok"),
            "state after steps[1]: expected ok",
        ),
        (
            "split-many",
            "/steps/1/app_bytes_released_hex",
            json!("00"),
            "bytes released by steps[1]: expected 1 bytes 00, got 0 bytes",
        ),
        (
            "eos-partial-header",
            "/final",
            json!("ok"),
            "state at the end, in one piece: expected ok",
        ),
        (
            "length-i32-min",
            "/cap_result",
            json!("ok"),
            "state, in one piece: expected ok",
        ),
        (
            "v17-no-node-id",
            "/struct",
            json!({}),
            "struct: expected {}",
        ),
        (
            "v17-no-node-id",
            "/node/id",
            json!("n"),
            "struct: expected {",
        ),
        (
            "v17-no-node-id",
            "/hex",
            json!("00"),
            "frame: expected 1 bytes 00, got 96 bytes 3d2304",
        ),
    ];
    for (vector, pointer, value, expected) in cases {
        let text = report_with(vector, pointer, value);
        assert!(
            text.starts_with(&format!("{vector}: {expected}")),
            "{pointer}: {text}"
        );
    }
}

#[test]
fn a_malformed_field_is_named() {
    let cases = [
        (
            "split-many",
            "/name",
            json!(null),
            "vectors[0]: field `name` is missing",
        ),
        (
            "split-many",
            "/hex",
            json!("0"),
            "split-many: field `hex` should be bytes in hex, not \"0\"",
        ),
        (
            "split-many",
            "/expect",
            json!("fine"),
            "split-many: field `expect` should be one of need-",
        ),
        (
            "split-many",
            "/steps/1/state",
            json!(null),
            "split-many: field `steps[1].state` is missing",
        ),
        (
            "v17-no-node-id",
            "/node/metadata",
            json!([]),
            "v17-no-node-id: field `node.metadata` should be an object, not []",
        ),
    ];
    for (vector, pointer, value, expected) in cases {
        let text = report_with(vector, pointer, value);
        assert!(text.starts_with(expected), "{pointer}: {text}");
    }
}

#[test]
fn another_file_is_rejected() {
    assert!(
        check("hello")
            .unwrap_err()
            .to_string()
            .starts_with("not JSON: ")
    );
    assert!(
        check("{}")
            .unwrap_err()
            .to_string()
            .starts_with("neither `vectors` nor")
    );
}
