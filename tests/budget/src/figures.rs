//! All measured values, and the file with their budget.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::{fs, thread};

use host_harness::Module;
use host_harness::scenario::Side;
use serde::Deserialize;

use crate::cost::Costs;
use crate::sidecar::Peers;
use crate::situations::{self, EMPTY, SITUATIONS, Scene, Situation};
use crate::{Error, Filters};

/// The number of open connections in the targets.
const MANY: usize = 100_000;
const HEAD: &str = "\
# The budget of the filter: `cargo test` fails if a change exceeds it. `cargo budget --update`
# writes this file. fuel: approximately WebAssembly instructions; hostcalls and allocations: their
# numbers over all calls; bytes: sizes and guest memory.
";

/// Measured values, or their budgets.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Sizes of the artefact and of the guest's memory, in bytes.
    pub bytes: BTreeMap<String, u64>,
    /// Costs by situation and callback.
    pub costs: BTreeMap<String, Costs>,
}

/// The path of the checked-in budget.
#[must_use]
pub fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("budget.yaml")
}

impl Figures {
    /// Measures all values. `churn`: the number of connections that open and close before memory is
    /// measured again.
    ///
    /// # Errors
    /// See [`Error`].
    pub fn measure(filters: &Filters, churn: usize) -> Result<Self, Error> {
        let mut figures = Self::default();
        let (plain, gzipped) = filters.sizes()?;
        figures.bytes.insert("wasm".into(), plain);
        figures.bytes.insert("wasm, gzipped".into(), gzipped);
        let peers = &situations::peers(&filters.shipped)?;
        let parts = thread::scope(|scope| {
            let [outbound, inbound] = [Side::Outbound, Side::Inbound]
                .map(|side| scope.spawn(move || Self::of_side(side, filters, peers, churn)));
            let many = scope.spawn(|| Self::of_many(filters, peers));
            [outbound, inbound, many].map(thread::ScopedJoinHandle::join)
        });
        for part in parts {
            let part = part.map_err(|_| Error::Thread)??;
            figures.bytes.extend(part.bytes);
            figures.costs.extend(part.costs);
        }
        Ok(figures)
    }

    fn of_side(side: Side, filters: &Filters, peers: &Peers, churn: usize) -> Result<Self, Error> {
        let mut figures = Self::default();
        let scene = |module| Scene {
            side,
            module,
            peers,
        };
        let shipped = scene(&filters.shipped);
        for situation in &SITUATIONS {
            let mut costs = situation.play(&shipped)?;
            let counted = situation.play(&scene(&filters.counted))?;
            for (callback, cost) in &mut costs {
                cost.allocations = counted.get(callback).map_or(0, |cost| cost.allocations);
            }
            figures
                .costs
                .insert(format!("{side}, {}", situation.name), costs);
        }
        let growth = situations::growth(&shipped, churn)?;
        figures.bytes.insert(
            format!("{side}, growth after connections that came and went"),
            growth,
        );
        Ok(figures)
    }

    /// The values that are the same on both sides. Their measurement is slow.
    fn of_many(filters: &Filters, peers: &Peers) -> Result<Self, Error> {
        let scene = Scene {
            side: Side::Inbound,
            module: &filters.shipped,
            peers,
        };
        let (tick, each) = situations::idle(&scene, MANY)?;
        let mut figures = Self {
            costs: empty(&filters.empty)?,
            ..Self::default()
        };
        figures
            .costs
            .insert("inbound, tick, 100 000 idle".into(), tick);
        figures
            .bytes
            .insert("inbound, guest memory per open connection".into(), each);
        Ok(figures)
    }

    /// Reads a budget.
    ///
    /// # Errors
    /// The file cannot be read or is invalid.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let text = fs::read_to_string(path).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })?;
        serde_saphyr::from_str(&text).map_err(|error| Error::Budget {
            path: path.to_owned(),
            reason: error.to_string(),
        })
    }

    /// Writes a budget.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        fs::write(path, self.to_string()).map_err(|source| Error::File {
            path: path.to_owned(),
            source,
        })
    }
}

fn empty(module: &Module) -> Result<BTreeMap<String, Costs>, Error> {
    let scene = Scene {
        side: Side::Inbound,
        module,
        peers: &Peers::default(),
    };
    let play = |situation: &Situation| {
        let name = format!("empty filter, {}", situation.name);
        Ok((name, situation.play(&scene)?))
    };
    EMPTY.iter().map(play).collect()
}

/// As YAML.
impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}bytes:")?;
        for (name, bytes) in &self.bytes {
            writeln!(f, "  {name}: {bytes}")?;
        }
        writeln!(f, "costs:")?;
        for (situation, costs) in &self.costs {
            writeln!(f, "  {situation}:")?;
            for (callback, cost) in costs {
                writeln!(f, "    {callback}: {{ {cost} }}")?;
            }
        }
        Ok(())
    }
}
