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
#[derive(Debug)]
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
    let mut random = Rng::with_seed(seed);
    let before = bench.client().metrics()?;
    let mut totals = Totals {
        made: 0,
        ended: 0,
        frames: 0,
        losses: 0,
        server: Server {
            is_configured: true,
            has_label: true,
        },
    };
    for index in 0..number {
        let Some(&event) = random.choice(EVENTS.iter()) else {
            continue;
        };
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
        let seen = match event {
            Event::Authenticate(mode) => during(bench, || {
                bench.authenticate(mode)?;
                wait()
            })?,
            Event::FilterLost => {
                self.losses += usize::from(self.server.has_filter());
                self.server.is_configured = false;
                during(bench, || {
                    bench.delete_filters(&["tcp-peer-stats-server", "--ignore-not-found"])?;
                    wait()
                })?
            }
            Event::FilterBack | Event::Uninstall => {
                self.server.is_configured = true;
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
                // At another address, which no client knows.
                self.server.has_label = event == Event::PodReplaced;
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

impl Server {
    fn has_filter(&self) -> bool {
        self.is_configured && self.has_label
    }
}

fn wait() -> Result<()> {
    thread::sleep(MOMENT);
    Ok(())
}
