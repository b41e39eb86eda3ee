//! What events did to connections, with the filter and without.

use std::collections::BTreeMap;

use super::event::Event;
use crate::error::Result;
use crate::suite::expect;
use crate::suite::visit::{Failure, Visits};

/// Counts by kind of event.
#[derive(Debug, Default)]
pub(in crate::suite) struct Tally(BTreeMap<Event, Kind>);

/// The counts of one kind of event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Kind {
    events: u64,
    /// Events during which a connection ended early.
    disturbing: u64,
    connections: u64,
    /// Connections whose server answered with the digest of every byte sent.
    complete: u64,
    /// Connections whose server received a frame in front of them.
    frames: u64,
    /// Connections that ended early, by what the client saw.
    ended: BTreeMap<String, u64>,
}

impl Tally {
    /// Adds the connections of an event.
    pub(super) fn add(&mut self, event: Event, visits: &Visits, frames: usize) {
        let kind = self.0.entry(event).or_default();
        kind.events += 1;
        kind.connections += visits.made;
        kind.complete += visits.made - visits.failed.len() as u64;
        kind.frames += frames as u64;
        let mut ended = visits
            .failed
            .iter()
            .filter(|(_, failure)| matches!(failure, Failure::Ended { .. }))
            .peekable();
        kind.disturbing += u64::from(ended.peek().is_some());
        for (_, failure) in ended {
            *kind.ended.entry(failure.to_string()).or_default() += 1;
        }
    }

    /// All connections.
    pub(super) fn connections(&self) -> u64 {
        self.0.values().map(|kind| kind.connections).sum()
    }

    /// The connections that ended early in one kind of event, or in all.
    pub(super) fn ended(&self, of: Option<Event>) -> u64 {
        let kinds = self
            .0
            .iter()
            .filter(|(event, _)| of.is_none_or(|of| of == **event));
        kinds.map(|(_, kind)| kind.number_ended()).sum()
    }

    /// The frames at applications.
    pub(super) fn frames(&self) -> u64 {
        self.0.values().map(|kind| kind.frames).sum()
    }

    /// A line for each kind of event, and one for all.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut all = Kind::default();
        for kind in self.0.values() {
            all.include(kind);
        }
        let kinds = self
            .0
            .iter()
            .map(|(event, kind)| kind.line(&format!("{event:?}")));
        kinds.chain([all.line("all")]).collect()
    }

    /// With the filter, connections end early in no more events of a kind, and no more for any
    /// reason, than chance explains. A failed VM is the filter's own.
    pub(super) fn compare(&self, control: &Self) -> Result<()> {
        let none = Kind::default();
        let (mut with, mut without) = (Kind::default(), Kind::default());
        let kinds = self
            .0
            .iter()
            .filter(|(event, _)| **event != Event::VmFailed);
        for (event, own) in kinds {
            let other = control.0.get(event).unwrap_or(&none);
            let (more, fewer) = (own.disturbing, other.disturbing);
            expect::holds(is_chance(more, fewer), || {
                format!(
                    "{event:?}: connections ended early in {more} events, without the filter in {fewer}"
                )
            })?;
            with.include(own);
            without.include(other);
        }
        for (reason, more) in with.ended {
            let fewer = without.ended.get(&reason).copied().unwrap_or_default();
            expect::holds(is_chance(more, fewer), || {
                format!("{more} connections ended early, without the filter {fewer}: {reason}")
            })?;
        }
        Ok(())
    }
}

impl Kind {
    fn number_ended(&self) -> u64 {
        self.ended.values().sum()
    }

    fn include(&mut self, other: &Self) {
        self.events += other.events;
        self.disturbing += other.disturbing;
        self.connections += other.connections;
        self.complete += other.complete;
        self.frames += other.frames;
        for (reason, number) in &other.ended {
            *self.ended.entry(reason.clone()).or_default() += number;
        }
    }

    fn line(&self, name: &str) -> String {
        let reasons = self
            .ended
            .iter()
            .map(|(reason, number)| format!("{number} × {reason}"));
        let reasons: Vec<_> = reasons.collect();
        let Self {
            events,
            disturbing,
            connections,
            complete,
            frames,
            ..
        } = self;
        let ended = self.number_ended();
        format!(
            "{name:<24} {events:>5} events {connections:>7} connections {complete:>7} complete {frames:>3} frames {ended:>4} ended in {disturbing:>3} events  {}",
            reasons.join(", ")
        )
    }
}

/// Whether the first count is within three standard deviations of the second one.
fn is_chance(more: u64, fewer: u64) -> bool {
    more.saturating_sub(fewer).pow(2) <= 9 * (more + fewer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::bench::Mode;

    const STRICT: Event = Event::Authenticate(Mode::Strict);

    fn ended(reason: &str) -> (u64, Failure) {
        let reason = reason.to_owned();
        (
            0,
            Failure::Ended {
                received: 0,
                reason,
            },
        )
    }

    fn tally(events: &[(Event, &[&str])]) -> Tally {
        let mut tally = Tally::default();
        for (event, reasons) in events {
            let failed = reasons.iter().map(|reason| ended(reason)).collect();
            tally.add(*event, &Visits { made: 10, failed }, 0);
        }
        tally
    }

    #[test]
    fn a_line_has_the_counts_and_the_reasons() {
        let mut tally = tally(&[(STRICT, &["reset", "reset"]), (STRICT, &[])]);
        let failed = vec![(3, Failure::OtherAnswer)];
        tally.add(Event::FilterLost, &Visits { made: 5, failed }, 1);
        let lines = tally.lines();
        let words: Vec<Vec<_>> = lines
            .iter()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let expected = [
            "Authenticate(Strict) 2 events 20 connections 18 complete 0 frames 2 ended in 1 events 2 × reset, after 0 bytes",
            "FilterLost 1 events 5 connections 4 complete 1 frames 0 ended in 0 events",
            "all 3 events 25 connections 22 complete 1 frames 2 ended in 1 events 2 × reset, after 0 bytes",
        ];
        assert_eq!(
            words.iter().map(|line| line.join(" ")).collect::<Vec<_>>(),
            expected
        );
        assert_eq!((tally.connections(), tally.frames()), (25, 1));
        assert_eq!(
            (tally.ended(None), tally.ended(Some(Event::FilterLost))),
            (2, 0)
        );
    }

    #[test]
    fn what_the_filter_adds_is_an_error() {
        let control = tally(&[(STRICT, &["reset"])]);
        let same = tally(&[
            (STRICT, &["reset"]),
            (STRICT, &["reset"]),
            (Event::VmFailed, &["gone"]),
        ]);
        same.compare(&control).unwrap();
        tally(&[(Event::FilterLost, &["gone"])])
            .compare(&control)
            .unwrap();
        tally(&[(STRICT, &["gone"; 10])])
            .compare(&control)
            .unwrap_err();
        let many = vec![(Event::FilterLost, &["reset"][..]); 20];
        tally(&many).compare(&control).unwrap_err();
        let many = vec![(STRICT, &["reset"][..]); 20];
        tally(&many).compare(&control).unwrap_err();
    }
}
