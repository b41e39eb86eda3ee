//! Runs many scenarios in batches, one Envoy per batch.

use std::fmt;
use std::path::PathBuf;

use host_harness::{Module, Profile, artifact};
use mesh::EnvoyBinary;

use crate::envoy::Batch;
use crate::error::Result;
use crate::harness;
use crate::observed::{Difference, Observed};
use crate::scenario::Scenario;
use crate::version;

/// The number of scenarios per Envoy. Each needs three VMs.
const BATCH: usize = 50;

/// The two hosts: a harness and an Envoy, with the probe filter for both.
pub struct Hosts {
    binary: EnvoyBinary,
    probe: PathBuf,
    module: Module,
    profile: Profile,
}

/// A scenario with different observations in the two hosts.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The scenario.
    pub scenario: Scenario,
    /// The observations in the harness.
    pub harness: Observed,
    /// The observations in Envoy.
    pub envoy: Observed,
    /// The first difference.
    pub difference: Difference,
}

impl Hosts {
    /// Finds Envoy (see [`EnvoyBinary::find`]) and builds the probe filter.
    ///
    /// # Errors
    /// Envoy or the filter is not available.
    pub fn new(envoy_version: Option<&str>) -> Result<Self> {
        let probe = artifact::build("probe-filter", "wasm")?;
        let binary = EnvoyBinary::find(envoy_version)?;
        Ok(Self {
            profile: version::profile(&binary),
            binary,
            module: Module::from_file_cached(&probe)?,
            probe,
        })
    }

    /// The profile of Envoy.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The Envoy that runs the scenarios.
    #[must_use]
    pub fn envoy(&self) -> &EnvoyBinary {
        &self.binary
    }

    /// Runs scenarios in both hosts and calls `seen` with each scenario and its finding, in order.
    ///
    /// # Errors
    /// A host does not work at all.
    pub fn compare(
        &self,
        scenarios: &[Scenario],
        mut seen: impl FnMut(&Scenario, Option<Finding>),
    ) -> Result<()> {
        for batch in scenarios.chunks(BATCH) {
            let mut envoy = Batch::start(&self.binary, &self.probe, batch)?;
            for (index, scenario) in batch.iter().enumerate() {
                let Some((envoy, addresses)) = envoy.run(index)? else {
                    break;
                };
                let mut finding = None;
                for order in scenario.orders() {
                    let Self {
                        module, profile, ..
                    } = self;
                    let harness =
                        harness::run(module, *profile, scenario, index, &addresses, &order)?;
                    let Some(difference) = harness.difference(&envoy) else {
                        finding = None;
                        break;
                    };
                    finding.get_or_insert_with(|| Finding {
                        scenario: scenario.clone(),
                        harness,
                        envoy: envoy.clone(),
                        difference,
                    });
                }
                seen(scenario, finding);
            }
        }
        Ok(())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { harness, envoy } = &self.difference;
        writeln!(f, "{}", self.scenario)?;
        writeln!(f, "  first difference:")?;
        writeln!(f, "    harness: {harness}")?;
        writeln!(f, "    Envoy:   {envoy}")?;
        for (host, observed) in [("harness", &self.harness), ("Envoy", &self.envoy)] {
            writeln!(f, "  {host}:")?;
            for line in observed.to_string().lines() {
                writeln!(f, "    {line}")?;
            }
        }
        Ok(())
    }
}
