//! Builds the filter and plays every scenario in `scenarios/` in an emulator of Envoy.

use std::error::Error;
use std::fs;
use std::path::Path;

use host_harness::scenario::{Emulated, Scenario, run};
use host_harness::{Module, artifact};

#[test]
fn every_scenario_passes() -> Result<(), Box<dyn Error>> {
    let filter = Module::from_file_cached(artifact::build(env!("CARGO_PKG_NAME"), "release")?)?;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut played = 0;
    for entry in fs::read_dir(folder)? {
        let file = entry?.path();
        for scenario in Scenario::read(&file)?.in_each_order() {
            let result = match Emulated::start(&scenario, &filter) {
                Ok(mut stage) => run(&scenario, &mut stage),
                Err(error) => scenario.judge_start(&error.to_string()),
            };
            result.map_err(|error| format!("{}: {error}", file.display()))?;
            played += 1;
        }
    }
    assert!(played > 0, "there is no scenario");
    Ok(())
}
