//! The report, as a table and as JSON.

use std::fmt::{self, Display, Formatter};

use serde::Serialize;
use serde_json::{Value, json};

use super::contestant::Contestant;
use super::machine::Machine;
use super::measure::Measure;

/// All measured values.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The Envoy's version.
    pub envoy: String,
    /// The machine.
    pub machine: Machine,
    /// Rounds of work.
    pub rounds: usize,
    /// The measured quantities.
    pub measures: Vec<Measure>,
}

impl Report {
    /// One JSON document with all rounds and their ratios.
    #[must_use]
    pub fn json(&self) -> Value {
        let ratios = self
            .measures
            .iter()
            .map(|measure| json!({ "name": measure.name, "ratios": measure.ratios() }));
        json!({ "report": self, "summary": ratios.collect::<Vec<_>>() })
    }
}

/// A table in Markdown.
impl Display for Report {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self {
            envoy,
            machine,
            rounds,
            measures,
        } = self;
        writeln!(f, "Envoy {envoy}; {machine}; {rounds} rounds\n")?;
        writeln!(
            f,
            "| | no filter | empty filter | tcp-peer-stats | empty ÷ none | ours ÷ none | ours ÷ empty |"
        )?;
        writeln!(f, "| --- | --- | --- | --- | --- | --- | --- |")?;
        for measure in measures {
            write!(f, "| {}, {} |", measure.name, measure.unit)?;
            for contestant in Contestant::ALL {
                write!(f, " {:.1} |", measure.spread(contestant).median)?;
            }
            for ratio in measure.ratios() {
                let spread = ratio.spread;
                write!(
                    f,
                    " {:.3} ({:.3} to {:.3})",
                    spread.median, spread.low, spread.high
                )?;
                if let (Some(target), Some(met)) = (ratio.target, ratio.is_met()) {
                    let verdict = if met { "met" } else { "missed" };
                    write!(f, ", target {target:.2} {verdict}")?;
                }
                write!(f, " |")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}
