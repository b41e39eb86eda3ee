//! Random faults under steady traffic, repeatable by their seed.

use std::thread;
use std::time::Duration;

use fastrand::Rng;

use super::application::{Seen, Visits};
use super::bench::{Bench, Mode};
use super::expect;
use super::measure::{during, unanswered};
use crate::error::Result;

/// The time that connections get after each event.
const MOMENT: Duration = Duration::from_secs(1);

/// What happens. The traffic goes on during each.
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
    failed: usize,
    frames: usize,
    /// Events after which a server may get one frame of a client that knew it with the filter.
    losses: usize,
}

pub(super) fn random(bench: &mut Bench<'_>) -> Result<String> {
    let (number, seed) = bench.faults();
    let mut random = Rng::with_seed(seed);
    let before = bench.client().metrics()?;
    let mut totals = Totals::default();
    for index in 0..number {
        let Some(&event) = random.choice(EVENTS.iter()) else {
            continue;
        };
        crate::progress::step("event", &format!("{} of {number}: {event:?}", index + 1));
        totals.happen(event, bench)?;
    }
    let Totals {
        made,
        failed,
        frames,
        losses,
    } = totals;
    expect::at_most("frames at an application", frames, losses)?;
    let counted = unanswered(bench, &before, frames as u64)?;
    expect::equal("unanswered frames", counted, frames as u64)?;
    Ok(format!(
        "{number} events with seed {seed}, {made} connections, {frames} frames after {losses} losses of a filter, {counted} counted, {failed} connections failed while the transport changed"
    ))
}

impl Totals {
    fn happen(&mut self, event: Event, bench: &mut Bench<'_>) -> Result<()> {
        match event {
            Event::Authenticate(mode) => {
                let seen = during(bench, || {
                    bench.authenticate(mode)?;
                    wait()
                })?;
                // Envoy refuses a connection with the transport of before.
                self.add(event, seen, true)
            }
            Event::FilterLost => {
                self.losses += 1;
                let seen = during(bench, || {
                    bench.delete_filters(&["tcp-peer-stats-server", "--ignore-not-found"])?;
                    wait()
                })?;
                self.add(event, seen, false)
            }
            Event::FilterBack | Event::Uninstall => {
                let overlay = if event == Event::FilterBack {
                    "exchange"
                } else {
                    "uninstall"
                };
                let seen = during(bench, || {
                    bench.apply(overlay)?;
                    wait()
                })?;
                self.add(event, seen, false)
            }
            Event::PodReplaced | Event::PodWithoutFilter => {
                bench.add_server(event == Event::PodReplaced, None)?;
                bench.first_leaves()?;
                let seen = during(bench, || {
                    bench.endpoints_are_the_servers()?;
                    wait()
                })?;
                bench.remove_first()?;
                self.add(event, seen, false)
            }
            Event::IstiodRestarted => {
                bench.kill_istiod()?;
                let seen = during(bench, wait)?;
                bench.restart_istiod()?;
                self.add(event, seen, false)
            }
        }
    }

    fn add(
        &mut self,
        event: Event,
        (visits, seen): (Visits, Vec<Seen>),
        may_fail: bool,
    ) -> Result<()> {
        self.made += visits.made;
        let frames = seen.iter().filter(|seen| seen.frame).count();
        self.frames += frames;
        let to_client = visits
            .failed
            .iter()
            .filter(|failed| failed.contains("a frame"))
            .count();
        expect::equal("frames at the client", to_client, 0)?;
        if may_fail {
            self.failed += visits.failed.len();
            return Ok(());
        }
        expect::holds(visits.failed.len() <= frames, || {
            format!("{event:?}: connections failed: {:?}", visits.failed)
        })
    }
}

fn wait() -> Result<()> {
    thread::sleep(MOMENT);
    Ok(())
}
