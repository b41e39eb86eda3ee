//! The recording of a timeline.

use std::cell::Cell;
use std::rc::Rc;

use super::entry::Timeline;
use super::watched::Watched;
use crate::clock::Clock;
use crate::module::Module;
use crate::scenario::emulated::Emulated;
use crate::scenario::engine::run_noting;
use crate::scenario::model::Scenario;
use crate::sidecar::StartError;

impl Timeline {
    /// Plays a scenario in the emulator and records it. Steps of expectations have no entry. Of the
    /// orders of a step `at_once`, it plays the one in the scenario.
    ///
    /// # Errors
    /// A filter does not start.
    pub fn record(scenario: &Scenario, module: &Module) -> Result<Self, StartError> {
        let stage = Emulated::start(scenario, module)?;
        let sidecars = stage.sidecars();
        let sides = sidecars.iter().map(|(side, _)| *side).collect();
        let clock = sidecars.first().map(|(_, sidecar)| sidecar.clock().clone());
        let clock: Clock = clock.unwrap_or_default();
        for (_, sidecar) in sidecars {
            sidecar.record_trace();
        }
        let start = clock.now();
        let step = Rc::new(Cell::new(0));
        let mut watched = Watched::new(stage, clock, step.clone());
        let failure = run_noting(scenario, &mut watched, &|number| step.set(number)).err();
        Ok(Self {
            name: scenario.name.clone(),
            sides,
            entries: watched.into_entries(),
            failure,
            start,
        })
    }
}
