//! Programs in the emulator.

use std::path::PathBuf;

use host_harness::scenario::{Emulated, End, Scenario, Side, Stage, StageError, Step};
use host_harness::{Chance, Chances, Module, Profile, artifact};

use super::generate::{OTHER, Program};
use super::observation::{is_observed, observe, refused, up_to};
use super::reached::reached;
use crate::error::{Error, Result};
use crate::stage::connections;

/// The most runs of one program.
const MOST: usize = 4096;

/// The emulator of one version of Envoy, with the filters of the programs.
pub struct Emulator {
    module: Module,
    probe: PathBuf,
    other: PathBuf,
    profile: Profile,
}

/// The observations of a program: one for each step that is observed.
pub(super) type Observations = Vec<Option<Vec<String>>>;

/// A program in one of the orders that real Envoys can produce.
pub(super) struct Run {
    pub(super) observations: Observations,
    /// Whether each step had an effect: time has one if it ends a connection.
    pub(super) effects: Vec<bool>,
}

/// The effect of a step.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Effect {
    Done,
    /// The update was refused.
    Refused,
    /// The act is of a server application that no proxy has connected to.
    Lost,
}

impl Emulator {
    /// Builds the filters.
    ///
    /// # Errors
    /// A filter is not available.
    pub fn new(profile: Profile) -> Result<Self> {
        let probe = artifact::build("probe-filter", "wasm")?;
        Ok(Self {
            module: Module::from_file_cached(&probe)?,
            probe,
            other: artifact::build("sdk-filter", "wasm")?,
            profile,
        })
    }

    /// Plays the program once, and returns it with the features that it reached.
    ///
    /// # Errors
    /// The program is no scenario, or the emulator does not play it.
    pub fn reach(&self, program: &Program) -> Result<Program> {
        let scenario = self.scenario(program)?;
        let run = self.run(&scenario, &Chances::default());
        let run = run.map_err(|what| program.failed(what))?;
        Ok(program.of(reached(program, &scenario, &run)))
    }

    pub(super) fn profile(&self) -> Profile {
        self.profile
    }

    /// The file of the probe filter.
    pub(super) fn probe(&self) -> &PathBuf {
        &self.probe
    }

    pub(super) fn scenario(&self, program: &Program) -> Result<Scenario> {
        let other = self.other.display().to_string();
        let text = program.scenario.to_string().replace(OTHER, &other);
        let scenario = Scenario::parse(&text);
        let scenario = scenario.map(|scenario| scenario.with_profile(self.profile));
        scenario.map_err(|error| program.failed(error))
    }

    /// The runs in all orders that real Envoys can produce, in which each chance always or never
    /// happens, without those that are observed as another one is.
    pub(super) fn runs(&self, scenario: &Scenario) -> Result<Vec<Run>, String> {
        use Chance::{Crossing, EndApart, EndFirst, LoseUnsent, Together};
        let ways: [&[Chance]; 6] = [
            &[],
            &[LoseUnsent],
            &[EndApart],
            &[EndApart, LoseUnsent],
            &[Together, Crossing, EndFirst],
            &[Together, Crossing, EndFirst, LoseUnsent],
        ];
        let mut runs: Vec<Run> = Vec::new();
        for order in scenario.in_each_order() {
            for way in ways {
                let chances = Chances::always(way.iter().copied());
                let run = self.run(&order, &chances)?;
                let mut known = runs.iter();
                if !known.any(|known| known.observations == run.observations) {
                    runs.push(run);
                }
            }
        }
        Ok(runs)
    }

    /// The observations in all orders, in all combinations of chances, but not more than [`MOST`].
    pub(super) fn all_observations(
        &self,
        scenario: &Scenario,
    ) -> Result<Vec<Observations>, String> {
        let mut all = Vec::new();
        for order in scenario.in_each_order() {
            let mut chances = Some(Chances::scripted());
            while let Some(now) = chances.filter(|_| all.len() < MOST) {
                all.push(self.run(&order, &now)?.observations);
                chances = now.next();
            }
        }
        Ok(all)
    }

    fn run(&self, scenario: &Scenario, chances: &Chances) -> Result<Run, String> {
        let stage = Emulated::start(scenario, &self.module);
        let mut stage = stage.map_err(|error| error.to_string())?;
        stage.chances(chances.clone());
        let (mut observations, mut effects, mut refusals) = (Vec::new(), Vec::new(), 0);
        for (at, step) in scenario.steps.iter().enumerate() {
            let steps = up_to(scenario, at);
            let before = ended(steps, &mut stage);
            let effect = perform(step, &mut stage)?;
            refusals += usize::from(effect == Effect::Refused);
            effects.push(match step {
                Step::Advance(_) => before != ended(steps, &mut stage),
                _ => effect == Effect::Done,
            });
            observations.push(match is_observed(scenario, at) {
                true => {
                    let lines = lines(&stage);
                    let seen = observe(steps, lines, &mut stage);
                    let mut seen = seen.map_err(|error| error.to_string())?;
                    seen.push(refused(refusals));
                    Some(seen)
                }
                false => None,
            });
        }
        Ok(Run {
            observations,
            effects,
        })
    }
}

impl Program {
    /// The error that a host does not play this program.
    pub(super) fn failed(&self, what: impl ToString) -> Error {
        Error::Exchange {
            program: self.to_string(),
            what: what.to_string(),
        }
    }
}

pub(super) const SIDES: [(&str, Side); 2] =
    [("outbound", Side::Outbound), ("inbound", Side::Inbound)];

fn lines(stage: &Emulated) -> Vec<(&'static str, Vec<String>)> {
    let sidecars = stage.sidecars();
    let lines = sidecars.iter().filter_map(|(side, sidecar)| {
        let (name, _) = SIDES.iter().find(|(_, of)| of == side)?;
        // Context 0 is the emulator itself.
        let lines = sidecar.logs().into_iter().filter(|line| line.context != 0);
        let lines = lines.map(|line| format!("{}: {}", line.plugin, line.message));
        Some((*name, lines.collect()))
    });
    lines.collect()
}

/// Which clients have seen the end of their connection.
fn ended(steps: &[Step], stage: &mut Emulated) -> Vec<bool> {
    let names = connections(steps).into_iter();
    let ended = names.map(|name| stage.ended(&name, End::Client));
    ended.map(Result::unwrap_or_default).collect()
}

/// Performs a step. An act of a server application that no proxy has connected to has no effect in
/// both hosts, and likewise a refused update.
pub(super) fn perform(step: &Step, stage: &mut dyn Stage) -> Result<Effect, String> {
    match (crate::stage::play(step, stage), step) {
        (Ok(()), _) => Ok(Effect::Done),
        (Err(_), Step::Update(_)) => Ok(Effect::Refused),
        (Err(error), _) if error == StageError::no_server() => Ok(Effect::Lost),
        (Err(error), _) => Err(error.to_string()),
    }
}
