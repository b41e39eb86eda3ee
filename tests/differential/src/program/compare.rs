//! Plays programs in both hosts.

use std::fmt;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use envoy_stage::{self as envoy, Batch};
use host_harness::scenario::{Emulated, Scenario, Side, Stage, StageError, Step};
use host_harness::{Module, Profile, artifact};
use mesh::EnvoyBinary;

use super::generate::{OTHER, Program};
use super::observation::observe;
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
    probe: PathBuf,
    other: PathBuf,
    module: Module,
    profile: Profile,
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

/// The observations of a program: one for each step that is observed.
pub(super) type Observations = Vec<Option<Vec<String>>>;

impl Programs {
    /// Finds Envoy (see [`EnvoyBinary::find`]) and builds the filters.
    ///
    /// # Errors
    /// Envoy or a filter is not available.
    pub fn new(envoy_version: Option<&str>) -> Result<Self> {
        let probe = artifact::build("probe-filter", "wasm")?;
        let binary = EnvoyBinary::find(envoy_version)?;
        Ok(Self {
            profile: version::profile(&binary),
            binary,
            module: Module::from_file_cached(&probe)?,
            other: artifact::build("sdk-filter", "wasm")?,
            probe,
        })
    }

    /// The profile of Envoy.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
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
            let scenarios: Result<Vec<_>> = programs.iter().map(|one| self.scenario(one)).collect();
            let scenarios = scenarios?;
            let batch = Batch::start(&self.binary, &self.probe, &scenarios);
            let mut batch = batch.map_err(|error| Error::Exchange {
                program: programs.iter().map(Program::to_string).collect(),
                what: error.to_string(),
            })?;
            for (at, (program, scenario)) in programs.iter().zip(&scenarios).enumerate() {
                let failed = |what: String| Error::Exchange {
                    program: program.to_string(),
                    what,
                };
                let candidates = self.candidates(scenario).map_err(failed)?;
                let mut difference = play(&mut batch, at, scenario, &candidates).map_err(failed)?;
                if difference.is_some() && program.depends_on_time() {
                    difference = self.again(scenario, &candidates).map_err(failed)?;
                }
                let program = &program.of(reached(program, scenario, &candidates));
                seen(program, difference.map(|found| found.of(program)));
            }
        }
        Ok(())
    }

    /// Plays a program in Envoys of its own, until it has no difference.
    fn again(
        &self,
        scenario: &Scenario,
        candidates: &[Observations],
    ) -> Result<Option<Found>, String> {
        let mut difference = None;
        for _ in 1..ATTEMPTS {
            let alone = std::slice::from_ref(scenario);
            let batch = Batch::start(&self.binary, &self.probe, alone);
            let mut batch = batch.map_err(|error| error.to_string())?;
            difference = play(&mut batch, 0, scenario, candidates)?;
            if difference.is_none() {
                break;
            }
        }
        Ok(difference)
    }

    fn scenario(&self, program: &Program) -> Result<Scenario> {
        let other = self.other.display().to_string();
        let text = program.scenario.to_string().replace(OTHER, &other);
        let scenario = Scenario::parse(&text);
        let scenario = scenario.map(|scenario| scenario.with_profile(self.profile));
        scenario.map_err(|error| Error::Exchange {
            program: program.to_string(),
            what: error.to_string(),
        })
    }

    /// The observations in the emulator, in all orders that real Envoys can produce.
    fn candidates(&self, scenario: &Scenario) -> Result<Vec<Observations>, String> {
        let mut candidates = Vec::new();
        for order in scenario.in_each_order() {
            for (separates_ends, loses_unsent) in
                [(false, false), (true, false), (false, true), (true, true)]
            {
                let observations = self.emulate(&order, separates_ends, loses_unsent)?;
                if !candidates.contains(&observations) {
                    candidates.push(observations);
                }
            }
        }
        Ok(candidates)
    }

    fn emulate(
        &self,
        scenario: &Scenario,
        separates_ends: bool,
        loses_unsent: bool,
    ) -> Result<Observations, String> {
        let stage = Emulated::start(scenario, &self.module);
        let mut stage = stage.map_err(|error| error.to_string())?;
        if separates_ends {
            stage.separate_ends();
        }
        if loses_unsent {
            stage.lose_unsent();
        }
        let (mut observations, mut refusals) = (Vec::new(), 0);
        for (at, step) in scenario.steps.iter().enumerate() {
            refusals += usize::from(perform(step, &mut stage)?);
            observations.push(match is_observed(scenario, at) {
                true => {
                    let lines = emulated_lines(&stage);
                    let seen = observe(up_to(scenario, at), lines, &mut stage);
                    let mut seen = seen.map_err(|error| error.to_string())?;
                    seen.push(refused(refusals));
                    Some(seen)
                }
                false => None,
            });
        }
        Ok(observations)
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

/// Plays the scenario at this position of a batch until it has an observation that no candidate
/// has.
fn play(
    batch: &mut Batch<'_>,
    at: usize,
    scenario: &Scenario,
    candidates: &[Observations],
) -> Result<Option<Found>, String> {
    let mut candidates: Vec<_> = candidates.iter().collect();
    let stage = envoy::Program::start(batch, at);
    let mut stage = stage.map_err(|error| error.to_string())?;
    let mut refusals = 0;
    for (at, step) in scenario.steps.iter().enumerate() {
        refusals += usize::from(perform(step, &mut stage)?);
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

const SIDES: [(&str, Side); 2] = [("outbound", Side::Outbound), ("inbound", Side::Inbound)];

fn emulated_lines(stage: &Emulated) -> Vec<(&'static str, Vec<String>)> {
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

/// Performs a step. An act of a server application that no proxy has connected to has no effect in
/// both hosts, and likewise a refused update. Returns whether the update was refused.
fn perform(step: &Step, stage: &mut dyn Stage) -> Result<bool, String> {
    match (crate::stage::play(step, stage), step) {
        (Ok(()), _) => Ok(false),
        (Err(_), Step::Update(_)) => Ok(true),
        (Err(error), _) if error == StageError::no_server() => Ok(false),
        (Err(error), _) => Err(error.to_string()),
    }
}

/// The observation that updates were refused.
pub(super) fn refused(updates: usize) -> String {
    format!("{updates} updates were refused")
}

fn up_to(scenario: &Scenario, at: usize) -> &[Step] {
    scenario.steps.get(..=at).unwrap_or_default()
}

/// Whether the effects of this step are observed: not if time is to pass before.
fn is_observed(scenario: &Scenario, at: usize) -> bool {
    let following = at.checked_add(1).and_then(|next| scenario.steps.get(next));
    !matches!(following, Some(Step::Advance(_)))
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
