//! The command line.

use std::time::Duration;

use clap::{Parser, ValueEnum};

pub(super) const SUPERVISED: &str = "supervised";

/// The workloads of the mesh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum TopologyChoice {
    /// ratings-v2 and three real databases: four sidecars
    #[default]
    Databases,
    /// All of Bookinfo, with traffic that leaves the mesh: six sidecars
    Bookinfo,
}

/// Bookinfo's ratings-v2 connects to MongoDB, PostgreSQL and, if MariaDB is installed, MySQL through
/// stock Envoys with the filter.
/// The demo prints and checks the metrics that name both ends.
#[derive(Clone, Debug, Parser)]
#[command(name = "cargo demo", bin_name = "cargo demo")]
pub struct Options {
    /// Print one JSON document instead of tables
    #[arg(long)]
    pub json: bool,

    /// Leave everything running, with a page that shows the mesh live; print the URLs and the
    /// command that ends it
    #[arg(long)]
    pub keep: bool,

    /// The workloads of the mesh
    #[arg(long, value_name = "TOPOLOGY", value_enum, default_value_t)]
    pub topology: TopologyChoice,

    /// Reporting interval of the filter, such as 500ms or 15s
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = parse_duration)]
    pub reporting_duration: Duration,

    /// Fetch and use this version of Envoy, such as 1.36.4, instead of ENVOY_BIN or the one on the
    /// PATH
    #[arg(long, value_name = "VERSION")]
    pub envoy_version: Option<String>,

    /// Only build the filter and create the certificates that the files in envoy-config/ name
    #[arg(long, conflicts_with_all = ["json", "keep", "topology"])]
    pub prepare: bool,

    /// Run as the supervisor of --keep
    #[arg(long = SUPERVISED, hide = true)]
    pub(super) supervised: bool,
}

fn parse_duration(text: &str) -> Result<Duration, String> {
    let units = [("ms", 1), ("s", 1000), ("m", 60_000)];
    let parsed = units.into_iter().find_map(|(unit, millis)| {
        let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
        number.checked_mul(millis).map(Duration::from_millis)
    });
    match parsed {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("give a whole number above zero and a unit: ms, s or m".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(parse_duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in [
            "",
            "5",
            "s",
            "-1s",
            "0s",
            "1.5s",
            "1h",
            "99999999999999999999s",
        ] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }
}
