//! The evidence is what the runs said, and there is some for everything.

#![allow(clippy::unwrap_used, reason = "a failed expectation of a test")]

use std::fs;

use testbed::evidence::{self, Campaign, Record};

#[test]
fn the_document_is_what_the_records_say() {
    let document = fs::read_to_string(evidence::document()).unwrap();
    assert_eq!(
        document,
        evidence::table().unwrap(),
        "`cargo evidence` makes it anew"
    );
}

#[test]
fn nothing_was_lost() {
    for campaign in Campaign::all() {
        let record = Record::load(&campaign).unwrap();
        assert_eq!(record.command, campaign.command, "run it again");
        let tally = record.tally();
        assert!(tally.cases > 0, "{}: {tally}", campaign.name);
        assert_eq!(tally.losses, 0, "{}: {tally}", campaign.name);
    }
}

#[test]
fn every_fuzz_target_ran_for_half_an_hour() {
    let fuzzing = Campaign::all().into_iter();
    for campaign in fuzzing.filter(|campaign| campaign.name.starts_with("fuzz-")) {
        let said = Record::load(&campaign).unwrap().said;
        let seconds = said.iter().filter_map(|line| {
            let (_, seconds) = line.split_once(" runs in ")?;
            seconds.split(' ').next()?.parse::<u64>().ok()
        });
        assert!(seconds.sum::<u64>() >= 1800, "{}", campaign.name);
    }
}
