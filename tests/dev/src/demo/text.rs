//! The report as text.

use std::fmt::Write;

use super::report::{Console, Findings, Kept, Report};
use mesh::report::{Reported, sum, table};
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
        line(&mut text, &check.line());
    }
    if let Some(kept) = &report.kept {
        text.push_str(&still_running(kept));
    }
    text.push('\n');
    text.push_str(&sum(&report.checks));
    text
}

fn databases(reporters: &[Reported], listing: &Console) -> String {
    let metrics = table::metrics(reporters);
    format!(
        "\nTCP metrics by reporter and peer\n\n{metrics}{}",
        console(listing)
    )
}

fn links(graph: &Graph) -> String {
    let mut rows = vec![LINK_HEADER.map(str::to_owned)];
    rows.extend(graph.edges.iter().map(link));
    let links = table::columns(&rows, LINK_FIRST_NUMBER);
    format!("\nTCP connections between workloads, from the metrics of all sidecars\n\n{links}")
}

/// The width at which the labels of a series are wrapped.
const WIDTH: usize = 110;

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
