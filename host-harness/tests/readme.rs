//! The scenario of the README, played with a filter that passes all bytes.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use host_harness::Module;
use host_harness::scenario::{Emulated, Scenario, run};

const README: &str = include_str!("../README.md");

#[test]
fn the_scenario_of_the_readme_passes() {
    let (_, block) = README.split_once("```yaml\n").unwrap();
    let (yaml, _) = block.split_once("```").unwrap();
    let scenario = Scenario::parse(yaml).unwrap();
    let module = br#"(module
        (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_1")))"#;
    let module = Module::from_bytes(module).unwrap();
    run(&scenario, &mut Emulated::start(&scenario, &module).unwrap()).unwrap();
}
