//! The filter chains that are compared.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use mesh::error::Result;
use mesh::wasm;

/// The filter in front of `tcp_proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Contestant {
    /// No filter.
    NoFilter,
    /// An empty Wasm filter.
    EmptyFilter,
    /// This filter with its default configuration and the reporter of its side.
    Filter,
}

/// The .wasm files.
#[derive(Debug)]
pub(crate) struct Modules {
    filter: PathBuf,
    empty: PathBuf,
    configuration: Value,
}

impl Contestant {
    /// All contestants, in the order of the odd rounds.
    pub const ALL: [Self; 3] = [Self::NoFilter, Self::EmptyFilter, Self::Filter];
}

impl Modules {
    pub(crate) fn build() -> Result<Self> {
        Ok(Self {
            filter: wasm::build()?,
            empty: wasm::empty()?,
            configuration: json!({}),
        })
    }

    /// Returns the file of a contestant and its configuration, `None` without a filter.
    pub(crate) fn of(&self, contestant: Contestant) -> (&Path, Option<&Value>) {
        match contestant {
            Contestant::NoFilter => (&self.filter, None),
            Contestant::EmptyFilter => (&self.empty, Some(&self.configuration)),
            Contestant::Filter => (&self.filter, Some(&self.configuration)),
        }
    }
}
