//! Plays programs in both hosts.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use envoy_stage::{self as envoy, Batch};
use host_harness::Profile;
use host_harness::scenario::{Scenario, Stage};
use mesh::EnvoyBinary;

use super::emulator::{Effect, Emulator, Observations, Run, SIDES, perform};
use super::generate::Program;
use super::observation::{is_observed, observe, refused, up_to};
use super::reached::reached;
use crate::error::{Error, Result};
use crate::version;

/// The number of programs per Envoy. Each filter of them needs three VMs.
const BATCH: usize = 25;

/// The time in which Envoy shows what the emulator does, on a busy machine. The Envoys are idle
/// before, so only differences wait.
const PATIENCE: Duration = Duration::from_millis(1500);

const PAUSE: Duration = Duration::from_millis(10);

/// How often a program is played before it counts as a difference, if its effects depend on real
/// time: a busy machine may let a timeout pass where none was meant to.
const ATTEMPTS: usize = 3;

/// The two hosts, with the filters for both.
pub struct Programs {
    binary: EnvoyBinary,
    emulator: Emulator,
}

/// A program, and its observations if they differ.
#[derive(Clone, Debug)]
pub struct ProgramDifference {
    /// The program.
    pub program: Program,
    /// The steps up to the first one with an observation that the emulator has in no order.
    pub steps: usize,
    /// The observation in Envoy after these steps.
    pub envoy: Vec<String>,
    /// The observations in the emulator, one for each order that agrees before.
    pub emulated: Vec<Vec<String>>,
}

impl Programs {
    /// Finds Envoy (see [`EnvoyBinary::find`]) and builds the filters.
    ///
    /// # Errors
    /// Envoy or a filter is not available.
    pub fn new(envoy_version: Option<&str>) -> Result<Self> {
        let binary = EnvoyBinary::find(envoy_version)?;
        let emulator = Emulator::new(version::profile(&binary))?;
        Ok(Self { binary, emulator })
    }

    /// The profile of Envoy.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.emulator.profile()
    }

    /// Plays programs in both hosts and calls `seen` for each with its difference, in order. The
    /// features of the program are those that the run has reached.
    ///
    /// # Errors
    /// A program is no scenario, or a host does not play it.
    pub fn compare(
        &self,
        programs: &[Program],
        mut seen: impl FnMut(&Program, Option<ProgramDifference>),
    ) -> Result<()> {
        for programs in programs.chunks(BATCH) {
            let scenarios: Result<Vec<_>> = programs
                .iter()
                .map(|one| self.emulator.scenario(one))
                .collect();
            let scenarios = scenarios?;
            let batch = Batch::start(&self.binary, self.emulator.probe(), &scenarios);
            let mut batch = batch.map_err(|error| Error::Exchange {
                program: programs.iter().map(Program::to_string).collect(),
                what: error.to_string(),
            })?;
            for (at, (program, scenario)) in programs.iter().zip(&scenarios).enumerate() {
                let runs = self.emulator.runs(scenario);
                let runs = runs.map_err(|what| program.failed(what))?;
                let difference = self.played(&mut batch, at, program, scenario, &runs);
                let difference = difference.map_err(|what| program.failed(what))?;
                let run = runs.first().map(|run| reached(program, scenario, run));
                let program = &program.of(run.unwrap_or_default());
                seen(program, difference.map(|found| found.of(program)));
            }
        }
        Ok(())
    }

    /// Plays a program at this position of a batch, and again if its effects depend on real time.
    fn played(
        &self,
        batch: &mut Batch<'_>,
        at: usize,
        program: &Program,
        scenario: &Scenario,
        runs: &[Run],
    ) -> Result<Option<Found>, String> {
        let mut known = Known::new(&self.emulator, scenario, runs);
        let difference = play(batch, at, &mut known)?;
        match difference.is_some() && program.depends_on_time() {
            true => self.again(&mut known),
            false => Ok(difference),
        }
    }

    /// Plays a program in Envoys of its own, until it has no difference.
    fn again(&self, known: &mut Known<'_>) -> Result<Option<Found>, String> {
        let mut difference = None;
        for _ in 1..ATTEMPTS {
            let alone = std::slice::from_ref(known.scenario);
            let batch = Batch::start(&self.binary, self.emulator.probe(), alone);
            let mut batch = batch.map_err(|error| error.to_string())?;
            difference = play(&mut batch, 0, known)?;
            if difference.is_none() {
                break;
            }
        }
        Ok(difference)
    }
}

/// What the emulator observes of a scenario.
struct Known<'a> {
    emulator: &'a Emulator,
    scenario: &'a Scenario,
    observations: Vec<Observations>,
    /// They are those of all combinations of chances.
    is_all: bool,
}

impl<'a> Known<'a> {
    fn new(emulator: &'a Emulator, scenario: &'a Scenario, runs: &[Run]) -> Self {
        let observations = runs.iter().map(|run| run.observations.clone());
        Self {
            emulator,
            scenario,
            observations: observations.collect(),
            is_all: false,
        }
    }

    /// Whether a run of the emulator is observed so, after the first steps.
    fn has(&mut self, envoy: &Observations) -> Result<bool, String> {
        let is_known = |known: &Self| {
            let mut observations = known.observations.iter();
            observations.any(|one| one.starts_with(envoy))
        };
        if !is_known(self) && !std::mem::replace(&mut self.is_all, true) {
            self.observations = self.emulator.all_observations(self.scenario)?;
        }
        Ok(is_known(self))
    }
}

/// A difference, without the program.
struct Found {
    steps: usize,
    envoy: Vec<String>,
    emulated: Vec<Vec<String>>,
}

impl Found {
    fn of(self, program: &Program) -> ProgramDifference {
        ProgramDifference {
            program: program.clone(),
            steps: self.steps,
            envoy: self.envoy,
            emulated: self.emulated,
        }
    }
}

/// Plays the scenario at this position of a batch until it has an observation that no run of the
/// emulator has.
fn play(
    batch: &mut Batch<'_>,
    position: usize,
    known: &mut Known<'_>,
) -> Result<Option<Found>, String> {
    let scenario = known.scenario;
    let stage = envoy::Program::start(batch, position);
    let mut stage = stage.map_err(|error| error.to_string())?;
    let (mut envoy, mut refusals) = (Observations::new(), 0);
    for (at, step) in scenario.steps.iter().enumerate() {
        refusals += usize::from(perform(step, &mut stage)? == Effect::Refused);
        stage.check().map_err(|error| error.to_string())?;
        if !is_observed(scenario, at) {
            envoy.push(None);
            continue;
        }
        let started = Instant::now();
        loop {
            let mut lines = Vec::new();
            for (name, side) in SIDES {
                if scenario.sidecar(side).is_some() {
                    lines.push((name, stage.log(side).map_err(|error| error.to_string())?));
                }
            }
            let seen = observe(up_to(scenario, at), lines, &mut stage);
            let mut seen = seen.map_err(|error| error.to_string())?;
            seen.push(refused(refusals));
            envoy.truncate(at);
            envoy.push(Some(seen));
            let mut observations = known.observations.iter();
            if observations.any(|one| one.starts_with(&envoy)) || started.elapsed() > PATIENCE {
                break;
            }
            thread::sleep(PAUSE);
        }
        let agreed = envoy.split_last().map_or(&[][..], |(_, before)| before);
        let agreeing = |known: &Known<'_>| {
            let agreeing = known.observations.iter();
            let agreeing = agreeing.filter(|one| one.starts_with(agreed));
            agreeing
                .filter_map(|one| one.get(at).cloned().flatten())
                .collect()
        };
        let emulated: Vec<_> = agreeing(known);
        if !known.has(&envoy)? {
            return Ok(Some(Found {
                steps: at + 1,
                envoy: envoy.pop().flatten().unwrap_or_default(),
                emulated,
            }));
        }
    }
    Ok(None)
}

impl fmt::Display for ProgramDifference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.program)?;
        writeln!(f, "after step {}", self.steps)?;
        for emulated in &self.emulated {
            let common = |(ours, theirs): &(&String, &String)| ours == theirs;
            let same = emulated.iter().zip(&self.envoy).take_while(common).count();
            let shown = |lines: &[String]| {
                let from = same.saturating_sub(6);
                let lines = lines.iter().enumerate().skip(from).take(14);
                let mark = |at| if at == same { '>' } else { ' ' };
                let lines = lines.map(|(at, line)| format!("  {} {line}\n", mark(at)));
                lines.collect::<String>()
            };
            writeln!(
                f,
                "emulator:\n{}Envoy:\n{}",
                shown(emulated),
                shown(&self.envoy)
            )?;
        }
        Ok(())
    }
}
