//! The report as text.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::report::{Console, Findings, Kept, Report, Reported};
use mesh::exposition::{Labels, Series};
use mesh::labels::{CLOSED, OPENED, RECEIVED, SENT};
use mesh::topology::{Graph, Link};

/// The whole report.
pub(super) fn render(report: &Report) -> String {
    let mut text = match &report.findings {
        Findings::Databases {
            reporters, console, ..
        } => databases(reporters, console),
        Findings::Bookinfo { graph, .. } => links(graph),
    };
    text.push_str("\nChecked\n\n");
    for check in &report.checks {
        let mark = if check.ok { "ok    " } else { "FAILED" };
        line(
            &mut text,
            &format!("  {mark}  {}: {}", check.what, check.detail),
        );
    }
    if let Some(kept) = &report.kept {
        text.push_str(&still_running(kept));
    }
    let failed = report.checks.iter().filter(|check| !check.ok).count();
    let total = report.checks.len();
    text.push_str(&match failed {
        0 => format!("\nAll {total} checks passed."),
        _ => format!("\n{failed} of {total} checks FAILED."),
    });
    text
}

fn databases(reporters: &[Reported], listing: &Console) -> String {
    let metrics = table(reporters);
    format!(
        "\nTCP metrics by reporter and peer\n\n{metrics}{}",
        console(listing)
    )
}

fn links(graph: &Graph) -> String {
    let mut rows = vec![LINK_HEADER.map(str::to_owned)];
    rows.extend(graph.edges.iter().map(link));
    let links = columns(&rows, LINK_FIRST_NUMBER);
    format!("\nTCP connections between workloads, from the metrics of all sidecars\n\n{links}")
}

fn table(reporters: &[Reported]) -> String {
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

/// The width at which the labels of a series are wrapped.
const WIDTH: usize = 110;

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

const LINK_HEADER: [&str; 11] = [
    "SOURCE",
    "DESTINATION",
    "SERVICE",
    "REPORTED BY",
    "SECURITY",
    "FLAGS",
    "OPENED",
    "CLOSED",
    "OPEN",
    "RECEIVED B",
    "SENT B",
];
const LINK_FIRST_NUMBER: usize = 6;

fn link(link: &Link) -> [String; 11] {
    let reporters: Vec<_> = link.reporters.keys().map(|each| each.as_str()).collect();
    let reported_by = match reporters.as_slice() {
        [one] => (*one).to_owned(),
        _ => "both".to_owned(),
    };
    [
        link.source.clone(),
        link.destination.clone(),
        link.service.clone(),
        reported_by,
        link.security.clone(),
        link.flags.clone(),
        link.counts.opened.to_string(),
        link.counts.closed.to_string(),
        link.open.to_string(),
        link.counts.received.to_string(),
        link.counts.sent.to_string(),
    ]
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
fn columns<const N: usize>(rows: &[[String; N]], first_number: usize) -> String {
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

fn console(console: &Console) -> String {
    let mut text = format!("\nConnections, from {}\n", console.source);
    for series in &console.series {
        line(&mut text, &format!("\n  {}{{", series.name));
        let mut row = String::new();
        for (name, value) in &series.labels {
            let label = format!("{name}={value:?}, ");
            if !row.is_empty() && row.len() + label.len() > WIDTH {
                line(&mut text, &format!("    {row}"));
                row.clear();
            }
            row.push_str(&label);
        }
        line(
            &mut text,
            &format!("    {}}}  {}", row.trim_end_matches(", "), series.value),
        );
    }
    text
}

fn still_running(kept: &Kept) -> String {
    let mut text = String::from("\nStill running\n\n");
    for (name, address) in &kept.addresses {
        line(&mut text, &format!("  {name:<24}  {address}"));
    }
    line(&mut text, &format!("  {:<24}  {}", "files", kept.files));
    line(&mut text, &format!("\nEnd it with: {}", kept.cleanup));
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _infallible = writeln!(text, "{}", line.trim_end());
}
