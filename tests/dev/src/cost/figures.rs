//! The counted instructions, their table, and the file with the recorded ones.

use std::collections::BTreeMap;
use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::count::Count;
use super::situation::Situation;
use crate::bench::Contestant;
use mesh::error::{Context, Error, Result};

/// The percentage by which a ratio may exceed the recorded one.
const TOLERANCE: f64 = 1.0;
const HEAD: &str = "\
# Instructions of a connection in stock Envoy, in user mode: `cargo cost` fails if the ratio of the
# filter to no filter exceeds the ratio of these values, all parts together, by more than 1 %. `cargo
# cost --update` writes this file. `compiled` is the code that V8 generated.
";

/// Instructions of a connection, by situation and contestant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Figures(BTreeMap<Situation, BTreeMap<Contestant, Instructions>>);

/// The instructions of a connection in both sidecars, in user mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instructions {
    /// Of the client's sidecar.
    pub client: Count,
    /// Of the server's sidecar.
    pub server: Count,
}

impl Instructions {
    /// The client's, the server's and their sum, with their names.
    fn sides(self) -> [(&'static str, Count); 3] {
        let Self { client, server } = self;
        [
            ("client", client),
            ("server", server),
            ("both", client + server),
        ]
    }
}

impl Figures {
    fn file() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cost.yaml")
    }

    /// The recorded values.
    pub(super) fn read() -> Result<Self> {
        let file = Self::file();
        let text =
            fs::read_to_string(&file).context(|| format!("cannot read {}", file.display()))?;
        serde_saphyr::from_str(&text).map_err(|error| Error::malformed(file.display(), error))
    }

    pub(super) fn write(&self) -> Result<()> {
        let file = Self::file();
        fs::write(&file, self.text()).context(|| format!("cannot write {}", file.display()))
    }

    /// The content of the file.
    fn text(&self) -> String {
        let mut text = HEAD.to_owned();
        for (situation, contestants) in &self.0 {
            text.push_str(&format!("{}:\n", name(situation)));
            for (contestant, Instructions { client, server }) in contestants {
                text.push_str(&format!("  {}:\n", name(contestant)));
                for (side, count) in [("client", client), ("server", server)] {
                    text.push_str(&format!("    {side}: {}\n", inline(count)));
                }
            }
        }
        text
    }

    pub(super) fn insert(
        &mut self,
        situation: Situation,
        contestant: Contestant,
        counted: Instructions,
    ) {
        self.0
            .entry(situation)
            .or_default()
            .insert(contestant, counted);
    }

    pub(super) fn get(&self, situation: Situation, contestant: Contestant) -> Option<Instructions> {
        self.0.get(&situation)?.get(&contestant).copied()
    }

    /// Replaces the values of the situations of `newer`.
    pub(super) fn extend(&mut self, newer: Self) {
        self.0.extend(newer.0);
    }

    /// A line for each ratio of the filter to no filter that exceeds the recorded one.
    #[must_use]
    pub fn exceeded(&self, recorded: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        for (situation, row) in self.rows() {
            let old = recorded
                .rows()
                .find(|(other, old)| *other == situation && old.side == row.side);
            let (new, side) = (row.ratio(), row.side);
            match old.map(|(_, row)| row.ratio()) {
                Some(old) if new <= old * (1.0 + TOLERANCE / 100.0) => {}
                Some(old) => lines.push(format!(
                    "{situation}, {side}: ours ÷ none was {old:.3} and is {new:.3}. `cargo cost --update` accepts it"
                )),
                None => lines.push(format!(
                    "{situation}, {side}: not recorded. `cargo cost --update` records it"
                )),
            }
        }
        lines
    }

    /// The rows of the table.
    fn rows(&self) -> impl Iterator<Item = (Situation, Row)> {
        self.0.iter().flat_map(|(situation, contestants)| {
            let sides =
                Contestant::ALL.map(|contestant| contestants.get(&contestant).map(|of| of.sides()));
            let [none, empty, ours] = sides.map(|sides| sides.into_iter().flatten());
            none.zip(empty).zip(ours).map(|((none, empty), ours)| {
                let row = Row {
                    side: none.0,
                    none: none.1,
                    empty: empty.1,
                    ours: ours.1,
                };
                (*situation, row)
            })
        })
    }
}

/// A row of the table: one or both sidecars.
#[derive(Clone, Copy, Debug)]
struct Row {
    side: &'static str,
    none: Count,
    empty: Count,
    ours: Count,
}

impl Row {
    /// The ratio of the filter to no filter.
    fn ratio(&self) -> f64 {
        self.ours.total() as f64 / self.none.total() as f64
    }
}

/// A table in Markdown, in thousands of instructions.
impl Display for Figures {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| k instructions per connection | no filter | empty filter | tcp-peer-stats | ours ÷ none |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- |")?;
        for (situation, row) in self.rows() {
            let [none, empty, ours] =
                [row.none, row.empty, row.ours].map(|count| count.total() / 1000);
            writeln!(
                f,
                "| {situation}, {} | {none} | {empty} | {ours} | {:.3} |",
                row.side,
                row.ratio()
            )?;
        }
        Ok(())
    }
}

impl Display for Instructions {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { client, server } = self;
        write!(f, "{} client, {} server", client.total(), server.total())
    }
}

/// A count in the file.
pub(super) fn inline(count: &Count) -> String {
    let Count {
        envoy,
        allocator,
        compiled,
    } = count;
    format!("{{ envoy: {envoy}, allocator: {allocator}, compiled: {compiled} }}")
}

/// The name in the file.
fn name(key: &impl Serialize) -> String {
    match serde_json::to_value(key) {
        Ok(serde_json::Value::String(name)) => name,
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::Figures;

    fn figures(client: i64) -> Figures {
        let text = format!(
            "plaintext:
  no_filter:
    client: {{ envoy: 90, allocator: 10, compiled: 0 }}
    server: {{ envoy: 100, allocator: 0, compiled: 0 }}
  empty_filter:
    client: {{ envoy: 100, allocator: 0, compiled: 0 }}
    server: {{ envoy: 100, allocator: 0, compiled: 0 }}
  filter:
    client: {{ envoy: {client}, allocator: 20, compiled: 10 }}
    server: {{ envoy: 200, allocator: 0, compiled: 0 }}
"
        );
        serde_saphyr::from_str(&text).unwrap()
    }

    #[test]
    fn a_ratio_may_exceed_the_recorded_one_by_one_per_cent() {
        assert_eq!(figures(171).exceeded(&figures(170)), [""; 0]);
        assert_eq!(
            figures(180).exceeded(&figures(170)),
            [
                "plaintext, client: ours ÷ none was 2.000 and is 2.100. `cargo cost --update` accepts it",
                "plaintext, both: ours ÷ none was 2.000 and is 2.050. `cargo cost --update` accepts it",
            ]
        );
        assert_eq!(figures(100).exceeded(&figures(170)), [""; 0]);
    }

    #[test]
    fn a_ratio_that_is_not_recorded_fails() {
        let lines = figures(170).exceeded(&Figures::default());
        assert_eq!(
            lines.first().map(String::as_str),
            Some("plaintext, client: not recorded. `cargo cost --update` records it")
        );
        assert_eq!(lines.len(), 3);
    }

    #[test]
    fn the_file_is_what_is_read() {
        assert_eq!(
            figures(170),
            serde_saphyr::from_str(&figures(170).text()).unwrap()
        );
    }
}
