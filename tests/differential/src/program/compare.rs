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
        let difference = play(batch, at, scenario, runs)?;
        match difference.is_some() && program.depends_on_time() {
            true => self.again(scenario, runs),
            false => Ok(difference),
        }
    }

    /// Plays a program in Envoys of its own, until it has no difference.
    fn again(&self, scenario: &Scenario, runs: &[Run]) -> Result<Option<Found>, String> {
        let mut difference = None;
        for _ in 1..ATTEMPTS {
            let alone = std::slice::from_ref(scenario);
            let batch = Batch::start(&self.binary, self.emulator.probe(), alone);
            let mut batch = batch.map_err(|error| error.to_string())?;
            difference = play(&mut batch, 0, scenario, runs)?;
            if difference.is_none() {
                break;
            }
        }
        Ok(difference)
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
    at: usize,
    scenario: &Scenario,
    runs: &[Run],
) -> Result<Option<Found>, String> {
    let mut candidates: Vec<_> = runs.iter().map(|run| &run.observations).collect();
    let stage = envoy::Program::start(batch, at);
    let mut stage = stage.map_err(|error| error.to_string())?;
    let mut refusals = 0;
    for (at, step) in scenario.steps.iter().enumerate() {
        refusals += usize::from(perform(step, &mut stage)? == Effect::Refused);
        stage.check().map_err(|error| error.to_string())?;
        if !is_observed(scenario, at) {
            continue;
        }
        let expected = |one: &&Observations| one.get(at).cloned().flatten();
        let started = Instant::now();
        let envoy = loop {
            let mut lines = Vec::new();
            for (name, side) in SIDES {
                if scenario.sidecar(side).is_some() {
                    lines.push((name, stage.log(side).map_err(|error| error.to_string())?));
                }
            }
            let seen = observe(up_to(scenario, at), lines, &mut stage);
            let mut seen = seen.map_err(|error| error.to_string())?;
            seen.push(refused(refusals));
            let agrees = |one: &&Observations| expected(one).as_ref() == Some(&seen);
            if candidates.iter().any(agrees) || started.elapsed() > PATIENCE {
                break seen;
            }
            thread::sleep(PAUSE);
        };
        let (agreeing, other): (Vec<_>, Vec<_>) = candidates
            .into_iter()
            .partition(|one| expected(one).as_ref() == Some(&envoy));
        if agreeing.is_empty() {
            return Ok(Some(Found {
                steps: at + 1,
                envoy,
                emulated: other.iter().filter_map(expected).collect(),
            }));
        }
        candidates = agreeing;
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
