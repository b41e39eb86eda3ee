//! Plays programs in both hosts.

use std::fmt;
use std::path::PathBuf;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use envoy_stage::Envoys;
use host_harness::scenario::{Emulated, Scenario, Step};
use host_harness::{Module, Profile};
use mesh::EnvoyBinary;
use serde_json::Value;

use super::observation::{self, Observation};
use crate::error::{Error, Result};
use crate::stage::{connections, play};
use crate::version;

/// How many programs are played at once; most of their time is waiting for Envoys.
const PLAYERS: usize = 3;

/// The time in which Envoy shows what the emulator does, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(15);

const PAUSE: Duration = Duration::from_millis(10);

/// The two hosts, with the filter of this repository for both.
pub struct Exchanges {
    binary: EnvoyBinary,
    wasm: PathBuf,
    module: Module,
    profile: Profile,
}

/// A program, and its observations if they differ.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The scenario.
    pub program: Value,
    /// The observation in Envoy, up to the first one that the emulator has in no order.
    pub envoy: Observation,
    /// The observations in the emulator that agree up to then, one for each order.
    pub emulated: Vec<Observation>,
}

impl Exchanges {
    /// Finds Envoy (see [`EnvoyBinary::find`]) and builds the filter.
    ///
    /// # Errors
    /// Envoy or the filter is not available.
    pub fn new(envoy_version: Option<&str>) -> Result<Self> {
        let wasm = mesh::wasm::build()?;
        let binary = EnvoyBinary::find(envoy_version)?;
        Ok(Self {
            profile: version::profile(&binary),
            binary,
            module: Module::from_file_cached(&wasm)?,
            wasm,
        })
    }

    /// The profile of Envoy.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// Plays programs in both hosts and calls `seen` for each with its difference.
    ///
    /// # Errors
    /// A program is no scenario, or a host does not play it.
    pub fn compare(
        &self,
        programs: &[Value],
        seen: impl FnMut(Option<Exchange>) + Send,
    ) -> Result<()> {
        let (waiting, seen) = (Mutex::new(programs.iter()), Mutex::new(seen));
        let player = || -> Result<()> {
            loop {
                let next = waiting.lock().map_or(None, |mut waiting| waiting.next());
                let Some(program) = next else { return Ok(()) };
                let difference = self.play(program)?;
                if let Ok(mut seen) = seen.lock() {
                    seen(difference);
                }
            }
        };
        thread::scope(|scope| {
            let players: Vec<_> = (0..PLAYERS).map(|_| scope.spawn(player)).collect();
            players
                .into_iter()
                .try_for_each(|player| player.join().unwrap_or(Ok(())))
        })
    }

    fn play(&self, program: &Value) -> Result<Option<Exchange>> {
        let failed = |what: &dyn fmt::Display| Error::Exchange {
            program: program.to_string(),
            what: what.to_string(),
        };
        let scenario = Scenario::parse(&program.to_string()).map_err(|error| failed(&error))?;
        let scenario = scenario.with_profile(self.profile);
        let orders = scenario.in_each_order();
        let emulated: Result<Vec<_>> = orders
            .iter()
            .map(|order| self.emulate(order).map_err(|error| failed(&error)))
            .collect();
        let mut candidates = emulated?;
        let envoy = self.in_envoy(&scenario, &mut candidates);
        let envoy = envoy.map_err(|error| failed(&error))?;
        Ok((!candidates.contains(&envoy)).then(|| Exchange {
            program: program.clone(),
            envoy,
            emulated: candidates,
        }))
    }

    fn emulate(&self, scenario: &Scenario) -> Result<Observation, String> {
        let stage = Emulated::start(scenario, &self.module);
        let mut stage = stage.map_err(|error| error.to_string())?;
        let mut observation = Observation::default();
        for (at, step) in scenario.steps.iter().enumerate() {
            let played = play(step, &mut stage);
            played.map_err(|error| error.to_string())?;
            let received = received(scenario, at, &mut stage)?;
            observation.steps.push(received);
        }
        let metrics = observation::metrics(scenario, &mut stage);
        observation.metrics = metrics.map_err(|error| error.to_string())?;
        Ok(observation)
    }

    /// Plays the scenario until it has an observation that no candidate has. Candidates that differ
    /// before are dropped.
    fn in_envoy(
        &self,
        scenario: &Scenario,
        candidates: &mut Vec<Observation>,
    ) -> Result<Observation, String> {
        let stage = Envoys::start_shared(scenario, &self.binary, &self.wasm);
        let mut stage = stage.map_err(|error| error.to_string())?;
        let mut observation = Observation::default();
        for (at, step) in scenario.steps.iter().enumerate() {
            let played = play(step, &mut stage);
            played.map_err(|error| format!("step {}: {error}", at + 1))?;
            let expected = candidates.iter().filter_map(|one| one.steps.get(at));
            let expected: Vec<_> = expected.cloned().collect();
            let seen = wait_for(&expected, || received(scenario, at, &mut stage))?;
            let agree = |one: &Observation| one.steps.get(at) == Some(&seen);
            observation.steps.push(seen.clone());
            if !candidates.iter().any(agree) {
                return Ok(observation);
            }
            candidates.retain(agree);
        }
        let expected: Vec<_> = candidates.iter().map(|one| one.metrics.clone()).collect();
        let metrics = || observation::metrics(scenario, &mut stage).map_err(|e| e.to_string());
        observation.metrics = wait_for(&expected, metrics)?;
        Ok(observation)
    }
}

/// What the applications have received after the step at `at`; nothing if it is not observed.
fn received(
    scenario: &Scenario,
    at: usize,
    stage: &mut dyn host_harness::scenario::Stage,
) -> Result<Vec<String>, String> {
    if !observation::is_observed(scenario, at) {
        return Ok(Vec::new());
    }
    let steps: &[Step] = scenario.steps.get(..=at).unwrap_or_default();
    let received = observation::received(stage, &connections(steps));
    received.map_err(|error| error.to_string())
}

/// Looks until it is one of the expected observations, or the time is over.
fn wait_for(
    expected: &[Vec<String>],
    mut look: impl FnMut() -> Result<Vec<String>, String>,
) -> Result<Vec<String>, String> {
    let started = Instant::now();
    loop {
        let seen = look()?;
        if expected.contains(&seen) || started.elapsed() >= PATIENCE {
            return Ok(seen);
        }
        thread::sleep(PAUSE);
    }
}

impl fmt::Display for Exchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.program)?;
        writeln!(f, "Envoy:\n{}", self.envoy)?;
        let mut shown = Vec::new();
        for emulated in &self.emulated {
            let mut until = emulated.clone();
            until.steps.truncate(self.envoy.steps.len());
            if self.envoy.steps.len() < emulated.steps.len() {
                until.metrics.clear();
            }
            if !shown.contains(&until) {
                writeln!(f, "emulator, one order:\n{until}")?;
                shown.push(until);
            }
        }
        Ok(())
    }
}
