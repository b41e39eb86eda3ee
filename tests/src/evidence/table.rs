//! The document.

use std::fmt::Write as _;

use super::{Campaign, Record};
use crate::error::Result;

const HEAD: &str = "\
# What was tried to break it

Made by `cargo evidence` of what the runs themselves said (`tests/evidence/`); a test checks that it is. A *loss* is a byte or
a connection that did not arrive or was not counted once, a count that differs from the prediction, a panic, a trap, a hang or
a test that failed. `cargo evidence run NAME` repeats a run and makes this page anew.

";

/// What stands in `filter/docs/evidence.md`.
///
/// # Errors
/// A record is missing.
pub fn table() -> Result<String> {
    let mut text = HEAD.to_owned();
    text += "| | Name | Cases | Faults injected | Losses | What is a case |\n";
    text += "| --- | --- | ---: | ---: | ---: | --- |\n";
    let mut commands = String::from("\n| Name | Command | Ran on |\n| --- | --- | --- |\n");
    let mut said = String::from("\nIn their own words:\n\n```text\n");
    let mut last = None;
    for campaign in Campaign::all() {
        let record = Record::load(&campaign)?;
        let tally = record.tally();
        let part = match last.replace(campaign.part) == Some(campaign.part) {
            true => "",
            false => campaign.part.title(),
        };
        let (name, what) = (&campaign.name, campaign.what);
        let [cases, faults, losses] = [tally.cases, tally.faults, tally.losses].map(grouped);
        let row = format!("| {part} | {name} | {cases} | {faults} | {losses} | {what} |\n");
        text += &row.replacen("|  |", "| |", 1);
        let envoy = record
            .envoy
            .iter()
            .map(|version| format!(", Envoy {version}"));
        let ran = format!("{} cores{}", record.cores, envoy.collect::<String>());
        // Writing to a String cannot fail.
        let _ = writeln!(commands, "| {name} | `{}` | {ran} |", record.command);
        for line in &record.said {
            let _ = writeln!(said, "{name}: {}", line.replace('\t', " ").trim());
        }
    }
    Ok(text + &commands + &said + "```\n")
}

/// With a comma between thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
