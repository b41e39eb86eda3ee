//! The harness's files: scenarios.

use std::str::from_utf8;

use host_harness::scenario::{Scenario, Side, Step};

/// A scenario is rejected with a reason, or it has a sidecar and a configuration, and the bytes of
/// its steps can be built.
pub fn scenario(input: &[u8]) {
    let Ok(text) = from_utf8(input) else { return };
    let scenario = match Scenario::parse(text) {
        Ok(scenario) => scenario,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let sides = [Side::Outbound, Side::Inbound];
    assert!(sides.iter().any(|side| scenario.sidecar(*side).is_some()));
    for side in sides {
        assert_eq!(scenario.configuration(side), scenario.configuration(side));
    }
    for step in &scenario.steps {
        if let Step::Client(act) | Step::Server(act) = step {
            act.write.as_ref().map(|bytes| bytes.to_vec());
        }
    }
}
