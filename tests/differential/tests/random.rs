//! Random scenarios: a short run of `cargo differential`.

use differential::{Hosts, random};

#[test]
fn random_scenarios_are_equal_in_the_harness_and_in_envoy() {
    let _alone = crate::alone();
    let hosts = Hosts::new(None).unwrap();
    let scenarios: Vec<_> = (0..60)
        .map(|index| random(hosts.profile(), 40, index))
        .collect();
    let (mut compared, mut findings) = (0, Vec::new());
    hosts
        .compare(&scenarios, |_, finding| {
            compared += 1;
            findings.extend(finding.map(|finding| finding.to_string()));
        })
        .unwrap();
    assert_eq!(compared, scenarios.len());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}
