//! Tables as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::Reported;
use crate::exposition::{Labels, Series};
use crate::labels::{CLOSED, OPENED, RECEIVED, SENT};

const HEADER: [&str; 9] = [
    "REPORTER",
    "SOURCE",
    "DESTINATION",
    "SERVICE",
    "SECURITY",
    "OPENED",
    "CLOSED",
    "RECEIVED B",
    "SENT B",
];

/// The index of the first column with numbers.
const FIRST_NUMBER: usize = 5;

/// The metrics by reporter and peer.
#[must_use]
pub fn metrics(reporters: &[Reported]) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    for reported in reporters {
        let mut peers: BTreeMap<&Labels, Vec<&Series>> = BTreeMap::new();
        for series in &reported.metrics {
            peers.entry(&series.labels).or_default().push(series);
        }
        rows.extend(
            peers
                .into_iter()
                .map(|(labels, series)| row(labels, &series)),
        );
    }
    columns(&rows, FIRST_NUMBER)
}

fn row(labels: &Labels, series: &[&Series]) -> [String; 9] {
    let label = |name: &str| labels.get(name).cloned().unwrap_or_default();
    let value = |metric: &str| {
        let found = series.iter().find(|series| series.name == metric);
        found.map_or_else(|| "-".to_owned(), |series| series.value.to_string())
    };
    [
        label("reporter"),
        label("source_workload"),
        label("destination_workload"),
        label("destination_service_name"),
        label("connection_security_policy"),
        value(OPENED),
        value(CLOSED),
        value(RECEIVED),
        value(SENT),
    ]
}

/// Aligns rows in columns. Columns from `first_number` on have numbers.
#[must_use]
pub fn columns<const N: usize>(rows: &[[String; N]], first_number: usize) -> String {
    let mut widths = [0; N];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.len().max(*width);
        }
    }
    let mut text = String::new();
    for row in rows {
        let cells = row
            .iter()
            .zip(widths)
            .enumerate()
            .map(|(index, (cell, width))| {
                if index < first_number {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            });
        line(
            &mut text,
            &format!("  {}", cells.collect::<Vec<_>>().join("  ")),
        );
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, "{}", line.trim_end());
}
