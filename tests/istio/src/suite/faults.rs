//! Random faults and changes, repeatable by their seed.

use std::thread;
use std::time::Duration;

use fastrand::Rng;
use mesh::progress::step;

use super::application::Seen;
use super::bench::{Bench, Mode};
use super::expect;
use super::measure::{during, frames, unanswered};
use super::visit::Visits;
use crate::error::Result;

/// The time that connections get after each event.
const MOMENT: Duration = Duration::from_secs(1);

/// What happens. Connections are opened one after another while a configuration changes, while
/// istiod is away, and while the client learns of other pods; not while a pod or istiod starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Authenticate(Mode),
    FilterLost,
    FilterBack,
    Uninstall,
    PodReplaced,
    PodWithoutFilter,
    IstiodRestarted,
}

const EVENTS: [Event; 9] = [
    Event::Authenticate(Mode::Permissive),
    Event::Authenticate(Mode::Strict),
    Event::Authenticate(Mode::Disable),
    Event::FilterLost,
    Event::FilterBack,
    Event::Uninstall,
    Event::PodReplaced,
    Event::PodWithoutFilter,
    Event::IstiodRestarted,
];

/// What the applications saw in all events.
#[derive(Debug, Default)]
struct Totals {
    made: u64,
    ended: usize,
    frames: usize,
    /// Events after which a server may get one frame of a client that knew it with the filter.
    losses: usize,
    server: Server,
}

/// What decides whether the server has the filter.
#[derive(Debug)]
struct Server {
    /// Whether the EnvoyFilter is there.
    is_configured: bool,
    /// Whether the pod has its label.
    has_label: bool,
}

pub(super) fn random(bench: &mut Bench<'_>) -> Result<String> {
    let (number, seed) = bench.faults();
    let before = bench.client().metrics()?;
    let mut totals = Totals::default();
    for (index, event) in events(number, seed).enumerate() {
        step("event", &format!("{} of {number}: {event:?}", index + 1));
        totals.happen(event, bench)?;
    }
    let Totals {
        made,
        ended,
        frames,
        losses,
        ..
    } = totals;
    expect::at_most("frames at an application", frames, losses)?;
    let counted = unanswered(bench, &before, frames as u64)?;
    expect::equal("unanswered frames", counted, frames as u64)?;
    Ok(format!(
        "{number} events with seed {seed}, {made} connections, {frames} frames after {losses} losses of a filter, {counted} counted, {ended} connections ended while the transport changed"
    ))
}

impl Totals {
    fn happen(&mut self, event: Event, bench: &mut Bench<'_>) -> Result<()> {
        self.losses += usize::from(self.server.loses_filter(event));
        let seen = match event {
            Event::Authenticate(mode) => during(bench, || {
                bench.authenticate(mode)?;
                wait()
            })?,
            Event::FilterLost => during(bench, || {
                bench.delete_filters(&["tcp-peer-stats-server", "--ignore-not-found"])?;
                wait()
            })?,
            Event::FilterBack | Event::Uninstall => {
                let overlay = if event == Event::FilterBack {
                    "exchange"
                } else {
                    "uninstall"
                };
                during(bench, || {
                    bench.apply(overlay)?;
                    wait()
                })?
            }
            Event::PodReplaced | Event::PodWithoutFilter => {
                bench.add_server(self.server.has_label, None)?;
                bench.first_leaves()?;
                let seen = during(bench, || {
                    bench.endpoints_are_the_servers()?;
                    wait()
                })?;
                bench.remove_first()?;
                seen
            }
            Event::IstiodRestarted => {
                bench.kill_istiod()?;
                let seen = during(bench, wait)?;
                bench.restart_istiod()?;
                seen
            }
        };
        self.add(event, &seen)
    }

    fn add(&mut self, event: Event, (visits, seen): &(Visits, Vec<Seen>)) -> Result<()> {
        let frames = frames(seen.iter());
        self.made += visits.made;
        self.frames += frames;
        let ended = visits.expect_ended(frames)?;
        // Envoy refuses a connection with the transport of before.
        let may_end = matches!(event, Event::Authenticate(_));
        expect::holds(may_end || ended == 0, || {
            let first = visits.first_failed();
            format!("{event:?}: {ended} connections ended early: {first}")
        })?;
        self.ended += ended;
        Ok(())
    }
}

impl Default for Server {
    fn default() -> Self {
        Self {
            is_configured: true,
            has_label: true,
        }
    }
}

impl Server {
    /// Whether an event takes the filter from the server. Another pod has another address, which no
    /// client knows.
    fn loses_filter(&mut self, event: Event) -> bool {
        match event {
            Event::FilterLost => {
                let had_filter = self.is_configured && self.has_label;
                self.is_configured = false;
                return had_filter;
            }
            Event::FilterBack | Event::Uninstall => self.is_configured = true,
            Event::PodReplaced => self.has_label = true,
            Event::PodWithoutFilter => self.has_label = false,
            Event::Authenticate(_) | Event::IstiodRestarted => {}
        }
        false
    }
}

/// Random events.
fn events(number: u32, seed: u64) -> impl Iterator<Item = Event> {
    let mut random = Rng::with_seed(seed);
    (0..number).filter_map(move |_| random.choice(EVENTS))
}

fn wait() -> Result<()> {
    thread::sleep(MOMENT);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::Event::{FilterBack, FilterLost, PodWithoutFilter};
    use super::*;

    #[test]
    fn the_default_has_all_events_and_two_losses() {
        let events: Vec<_> = events(20, 34).collect();
        assert_eq!(
            events.iter().collect::<BTreeSet<_>>(),
            EVENTS.iter().collect()
        );
        let mut server = Server::default();
        let losses = events.iter().filter(|event| server.loses_filter(**event));
        assert_eq!(losses.count(), 2);
    }

    #[test]
    fn a_server_without_the_filter_loses_none() {
        let losses = |events: &[Event]| {
            let mut server = Server::default();
            let lost = events.iter().filter(|event| server.loses_filter(**event));
            lost.count()
        };
        assert_eq!(losses(&[FilterLost, FilterLost]), 1);
        assert_eq!(losses(&[FilterLost, FilterBack, FilterLost]), 2);
        assert_eq!(losses(&[PodWithoutFilter, FilterLost]), 0);
    }
}
