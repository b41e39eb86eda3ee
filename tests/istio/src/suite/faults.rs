//! Random faults and changes, repeatable by their seed.

mod event;
mod tally;

use std::hint::spin_loop;
use std::num::NonZero;
use std::process::id;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use mesh::progress::{say, step};
use mesh::{Exposition, process};
use serde_json::json;

use self::event::{Event, Server};
use super::application::Seen;
use super::bench::{Bench, Mode, SHIPPED};
use super::measure::{INTERVAL, PROOF_DURATION, SETTLE_LIMIT, during, frames};
use super::reported::Reported;
use super::visit::Visits;
use super::{expect, killed, plugin};
use crate::cluster::{settle, until};
use crate::error::Result;

pub(super) use self::tally::Tally;

/// The time that connections get after each event.
const MOMENT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);
/// The time until the sidecar has counted a connection whose client has closed it.
const COUNT_LIMIT: Duration = Duration::from_secs(2);
/// The number of events after which a long run shows what it saw.
const SHOWN: usize = 50;
/// A file that no pod has.
const ABSENT: &str = "absent.wasm";
/// Busy threads for each processor.
const PRESSURE: usize = 4;

/// A counter that can begin again at 0: its series vanishes with a module that was replaced.
#[derive(Debug, Default)]
struct Counter {
    last: u64,
    sum: u64,
}

/// What the applications saw in all events.
#[derive(Debug, Default)]
struct Totals {
    tally: Tally,
    /// Events after which a server may get one frame of a client that knew it with the filter.
    losses: usize,
    server: Server,
    unanswered: Counter,
    /// Events whose connections the client's sidecar counted, and those where it did not.
    counted: u32,
    miscounted: Vec<String>,
}

pub(super) fn random(bench: &mut Bench<'_>) -> Result<String> {
    let Totals {
        tally,
        losses,
        mut unanswered,
        counted: counted_events,
        miscounted,
        ..
    } = replay(bench)?;
    let frames = tally.frames();
    expect::at_most("frames at an application", frames, losses as u64)?;
    settle("the unanswered frames being reported", SETTLE_LIMIT, || {
        Ok(unanswered.look(&bench.client().metrics()?) >= frames)
    })?;
    thread::sleep(INTERVAL);
    let counted = unanswered.look(&bench.client().metrics()?);
    if counted > 0 {
        // The next check begins without a proof.
        thread::sleep(PROOF_DURATION);
    }
    // Each frame at an application is counted; one that a failed VM has not answered may be.
    let counts = frames..=frames + tally.ended(Some(Event::VmFailed));
    expect::holds(counts.contains(&counted), || {
        format!("unanswered frames: {counted}, not in {counts:?}")
    })?;
    expect::equal(
        "events whose connections the client's sidecar miscounted",
        miscounted,
        vec![],
    )?;
    let connections = tally.connections();
    let (number, seed) = bench.faults();
    let ended = tally.ended(None);
    bench.faults_seen = Some(tally);
    Ok(format!(
        "{number} events with seed {seed}, {connections} connections, {frames} frames after {losses} losses of a filter, {counted} counted, {ended} connections ended while the transport changed or a VM was reloaded; the client's sidecar counted every connection of {counted_events} events"
    ))
}

/// The same events, without the filter.
pub(super) fn control(bench: &mut Bench<'_>) -> Result<String> {
    bench.replace_filter()?;
    let Totals { tally, .. } = replay(bench)?;
    expect::equal("frames at an application", tally.frames(), 0)?;
    let (number, seed) = bench.faults();
    let (connections, ended) = (tally.connections(), tally.ended(None));
    let compared = match &bench.faults_seen {
        Some(with) => {
            with.compare(&tally)?;
            format!(
                "as the {} of {} with the filter",
                with.ended(None),
                with.connections()
            )
        }
        None => "compared with none: run it after `faults`".to_owned(),
    };
    Ok(format!(
        "{number} events with seed {seed}, {connections} connections without the filter, {ended} ended while the transport changed, {compared}"
    ))
}

/// Makes all events happen, and writes what they did to connections.
fn replay(bench: &mut Bench<'_>) -> Result<Totals> {
    let (number, seed) = bench.faults();
    let mut totals = Totals::default();
    totals.unanswered.last = Reported::total_unanswered(&bench.client().metrics()?);
    for (index, event) in event::random(number, seed).enumerate() {
        step("event", &format!("{} of {number}: {event:?}", index + 1));
        let happened = totals.observe(event, bench);
        // A long run that fails or is ended shows what it saw until then.
        let done = index + 1;
        if happened.is_err() || done == number as usize || done.is_multiple_of(SHOWN) {
            totals.tally.lines().iter().for_each(|line| say(line));
        }
        happened?;
    }
    Ok(totals)
}

impl Counter {
    /// Reads it. Returns its whole increase.
    fn look(&mut self, metrics: &Exposition) -> u64 {
        let now = Reported::total_unanswered(metrics);
        self.sum += now.checked_sub(self.last).unwrap_or(now);
        self.last = now;
        self.sum
    }
}

impl Totals {
    /// Compares what the client's sidecar counts with the connections of the event.
    fn observe(&mut self, event: Event, bench: &mut Bench<'_>) -> Result<()> {
        if bench.is_native() {
            return self.happen(event, bench);
        }
        let before = bench.client().metrics()?;
        let made = self.tally.connections();
        self.happen(event, bench)?;
        let made = self.tally.connections() - made;
        let mut after = Exposition::default();
        settle("the connections being counted", COUNT_LIMIT, || {
            after = bench.client().metrics()?;
            Ok(Reported::between(&before, &after).closed() == made)
        })?;
        self.unanswered.look(&after);
        // The series of a module that was replaced vanish at the end of the drain time.
        if !Reported::has_vanished(&before, &after) {
            let source = Reported::between(&before, &after);
            let (opened, closed) = (source.opened(), source.closed());
            self.counted += 1;
            if (opened, closed) != (made, made) {
                let text = format!("{event:?}: {opened} opened, {closed} closed, not {made}");
                self.miscounted.push(text);
            }
        }
        Ok(())
    }

    fn happen(&mut self, event: Event, bench: &mut Bench<'_>) -> Result<()> {
        if event == Event::VmFailed {
            if !self.server.has_label {
                self.happen(Event::PodReplaced, bench)?;
            }
            // Without a certificate, no frame is read.
            bench.authenticate(Mode::Permissive)?;
        }
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
            Event::FilterBack => self.installs(bench, "exchange", "auto")?,
            Event::Uninstall => self.installs(bench, "uninstall", "receive")?,
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
                let seen = during(bench, || {
                    wait()?;
                    let is_away = bench.proxies().is_none();
                    expect::holds(is_away, || "istiod answers".to_owned())
                })?;
                bench.restart_istiod()?;
                seen
            }
            Event::ListenerRejected => self.listener_rejected(bench)?,
            Event::ApiServerAway => {
                bench.kubernetes().pause()?;
                let seen = during(bench, || {
                    wait()?;
                    let answers = bench.kubernetes().answers();
                    expect::holds(!answers, || "the API server answers".to_owned())
                });
                bench.kubernetes().resume()?;
                seen?
            }
            Event::RegistryAway => {
                plugin::changed_without_registry(bench)?;
                during(bench, wait)?
            }
            // There is no VM.
            Event::VmFailed if bench.is_native() => self.installs(bench, "exchange", "auto")?,
            Event::VmFailed => vm_failed(bench)?,
            Event::CpuPressure => during(bench, || busy(3 * MOMENT))?,
        };
        self.add(event, &seen, bench.is_native())
    }

    /// Applies an overlay, after which the server has the filter in this mode if it has the label.
    fn installs(
        &self,
        bench: &Bench<'_>,
        overlay: &str,
        mode: &str,
    ) -> Result<(Visits, Vec<Seen>)> {
        during(bench, || {
            bench.apply(overlay)?;
            if self.server.has_label {
                bench.chains_have(mode)?;
            }
            wait()
        })
    }

    /// The old listeners serve. istiod forgets the refusals, which the suite counts, with a restart.
    fn listener_rejected(&self, bench: &mut Bench<'_>) -> Result<(Visits, Vec<Seen>)> {
        let seen = during(bench, || {
            bench.apply_module(ABSENT, &json!({}))?;
            until("a refused listener", LIMIT, || {
                let is_refused = bench.proxies().is_some_and(|it| it.has_rejects());
                Ok(is_refused.then_some(()))
            })?;
            wait()?;
            bench.apply("exchange")?;
            if self.server.has_label {
                bench.modules_are(SHIPPED)?;
            }
            wait()
        })?;
        bench.kill_istiod()?;
        bench.restart_istiod()?;
        bench.settled()?;
        Ok(seen)
    }

    fn add(
        &mut self,
        event: Event,
        (visits, seen): &(Visits, Vec<Seen>),
        is_native: bool,
    ) -> Result<()> {
        let frames = frames(seen.iter());
        expect::holds(visits.made > 0 && !seen.is_empty(), || {
            format!("{event:?}: no connection at the application")
        })?;
        let ended = visits.expect_ended(frames)?;
        self.tally.add(event, visits, frames);
        // Envoy refuses a connection with the transport of before, and without a VM.
        let may_end = match event {
            Event::Authenticate(_) => true,
            Event::VmFailed => !is_native,
            _ => false,
        };
        expect::holds(may_end || ended == 0, || {
            let first = visits.first_failed();
            format!("{event:?}: {ended} connections ended early: {first}")
        })
    }
}

/// A VM of the server fails under traffic, and is reloaded.
fn vm_failed(bench: &mut Bench<'_>) -> Result<(Visits, Vec<Seen>)> {
    killed::load(bench)?;
    let server = bench.server()?;
    let before = killed::reloads(&server.pod)?;
    let seen = during(bench, || {
        killed::kill(bench)?;
        until("a new VM", LIMIT, || {
            Ok((killed::reloads(&server.pod)? > before).then_some(()))
        })?;
        wait()
    })?;
    killed::unload(bench)?;
    Ok(seen)
}

/// Keeps all processors busy until this process has used this time of them.
fn busy(time: Duration) -> Result<()> {
    let number = PRESSURE * available_parallelism().map_or(1, NonZero::get);
    let used = || process::cpu_time(id());
    let end = used()? + time;
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..number {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    spin_loop();
                }
            });
        }
        let spent = until("the processors being busy", LIMIT, || {
            Ok((used()? >= end).then_some(()))
        });
        stop.store(true, Ordering::Relaxed);
        spent
    })
}

fn wait() -> Result<()> {
    thread::sleep(MOMENT);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_counter_that_begins_again_goes_on() {
        let mut counter = Counter { last: 2, sum: 0 };
        let mut look = |value: &str| {
            let text = format!("istio_tcp_unanswered_frames_total{{}} {value}\n");
            counter.look(&Exposition::parse(&text).unwrap())
        };
        assert_eq!([look("3"), look("3"), look("1"), look("4")], [1, 1, 2, 5]);
        assert_eq!(counter.look(&Exposition::default()), 5);
    }

    #[test]
    fn pressure_ends_when_the_time_is_used() {
        let time = Duration::from_millis(400);
        let start = Instant::now();
        busy(time).unwrap();
        let processors = available_parallelism().map_or(1, NonZero::get) as u32;
        assert!(start.elapsed() >= time / processors / 2);
    }
}
