//! Every wire vector, for every split of its bytes.

#[cfg(target_arch = "wasm32")]
use wasm_bindgen_test::wasm_bindgen_test as test;

use peer_exchange::vectors::judge;

const FILE: &str = include_str!("../vectors/peer-exchange.json");

#[test]
fn every_vector_comes_out_as_it_should() {
    let report = judge(FILE).unwrap();

    let failures: Vec<_> = report.failures.iter().map(ToString::to_string).collect();
    assert_eq!(failures, [""; 0]);
    assert_eq!(report.passed, 69 + 12);
}
