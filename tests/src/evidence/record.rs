//! What a campaign said, as it is kept.

use std::fs;
use std::path::PathBuf;
use std::thread;

use serde::{Deserialize, Serialize};

use super::{Campaign, Tally};
use crate::error::{Context, Error, Result};
use crate::tools::EnvoyBinary;
use crate::workspace;

/// What a campaign said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    name: String,
    /// What was run.
    pub command: String,
    /// The machine's cores.
    pub cores: usize,
    /// The version of the Envoys that took part.
    pub envoy: Option<String>,
    /// The lines with figures, as they were.
    pub said: Vec<String>,
}

impl Record {
    /// Of the lines of a campaign that was run on this machine.
    ///
    /// # Errors
    /// There is not a case in them, or no Envoy on this machine.
    pub fn new(campaign: &Campaign, lines: &[String]) -> Result<Self> {
        let tells = |line: &&String| Tally::of(line).is_some() || line.contains("\tDONE ");
        let record = Self {
            name: campaign.name.clone(),
            command: campaign.command.clone(),
            cores: thread::available_parallelism().map_or(1, usize::from),
            envoy: match campaign.envoy {
                true => Some(EnvoyBinary::find(None)?.version),
                false => None,
            },
            said: lines.iter().filter(tells).cloned().collect(),
        };
        match record.tally().cases {
            0 => Err(Error::NoCases {
                name: campaign.name.clone(),
            }),
            _ => Ok(record),
        }
    }

    /// The record of a campaign.
    ///
    /// # Errors
    /// There is none, or it is not one.
    pub fn load(campaign: &Campaign) -> Result<Self> {
        let file = file(&campaign.name);
        let text =
            fs::read_to_string(&file).context(|| format!("cannot read {}", file.display()))?;
        serde_json::from_str(&text).map_err(|error| Error::malformed(file.display(), error))
    }

    /// Keeps it.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn save(&self) -> Result<()> {
        let file = file(&self.name);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::malformed(file.display(), error))?;
        fs::write(&file, text + "\n").context(|| format!("cannot write {}", file.display()))
    }

    /// The figures of all lines.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.said.iter().filter_map(|line| Tally::of(line)).sum()
    }
}

fn file(name: &str) -> PathBuf {
    let folder = workspace::root().join("tests/evidence");
    folder.join(format!("{name}.json"))
}
