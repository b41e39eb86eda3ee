//! What is compared.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Value, json};

use mesh::error::Result;
use mesh::wasm;

/// What is in the filter chain in front of `tcp_proxy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Contestant {
    /// Nothing.
    NoFilter,
    /// A Wasm filter that does nothing.
    EmptyFilter,
    /// This one, as it comes.
    Filter,
}

/// The .wasm files.
#[derive(Debug)]
pub(super) struct Modules {
    filter: PathBuf,
    empty: PathBuf,
    configuration: Value,
}

impl Contestant {
    /// All, in the order of the odd rounds.
    pub const ALL: [Self; 3] = [Self::NoFilter, Self::EmptyFilter, Self::Filter];
}

impl Modules {
    pub(super) fn build() -> Result<Self> {
        Ok(Self {
            filter: wasm::build()?,
            empty: wasm::empty()?,
            configuration: json!({}),
        })
    }

    /// The file of a contestant and its configuration, if it has a filter at all.
    pub(super) fn of(&self, contestant: Contestant) -> (&Path, Option<&Value>) {
        match contestant {
            Contestant::NoFilter => (&self.filter, None),
            Contestant::EmptyFilter => (&self.empty, Some(&self.configuration)),
            Contestant::Filter => (&self.filter, Some(&self.configuration)),
        }
    }
}
