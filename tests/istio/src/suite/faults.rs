//! Random faults and changes, repeatable by their seed.

mod event;

use std::hint::spin_loop;
use std::num::NonZero;
use std::process::id;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, available_parallelism};
use std::time::Duration;

use mesh::process;
use mesh::progress::step;
use serde_json::json;

use self::event::{Event, Server};
use super::application::Seen;
use super::bench::{Bench, Mode, SHIPPED};
use super::measure::{during, frames, unanswered};
use super::visit::Visits;
use super::{expect, killed, plugin};
use crate::cluster::until;
use crate::error::Result;

/// The time that connections get after each event.
const MOMENT: Duration = Duration::from_secs(1);
const LIMIT: Duration = Duration::from_secs(60);
/// A file that no pod has.
const ABSENT: &str = "absent.wasm";
/// Busy threads for each processor.
const PRESSURE: usize = 4;

/// What the applications saw in all events.
#[derive(Debug, Default)]
struct Totals {
    made: u64,
    ended: usize,
    frames: usize,
    /// Events after which a server may get one frame of a client that knew it with the filter.
    losses: usize,
    /// Connections that ended while a VM was not there: their frames have no answer.
    refused: usize,
    server: Server,
}

pub(super) fn random(bench: &mut Bench<'_>) -> Result<String> {
    let (number, seed) = bench.faults();
    let before = bench.client().metrics()?;
    let mut totals = Totals::default();
    for (index, event) in event::random(number, seed).enumerate() {
        step("event", &format!("{} of {number}: {event:?}", index + 1));
        totals.happen(event, bench)?;
    }
    let Totals {
        made,
        ended,
        frames,
        losses,
        refused,
        ..
    } = totals;
    expect::at_most("frames at an application", frames, losses)?;
    let counted = unanswered(bench, &before, frames as u64)?;
    // Each frame at an application is counted; one that a failed VM has not answered may be.
    let counts = frames as u64..=(frames + refused) as u64;
    expect::holds(counts.contains(&counted), || {
        format!("unanswered frames: {counted}, not in {counts:?}")
    })?;
    Ok(format!(
        "{number} events with seed {seed}, {made} connections, {frames} frames after {losses} losses of a filter, {counted} counted, {ended} connections ended while the transport changed or a VM was reloaded"
    ))
}

impl Totals {
    fn happen(&mut self, event: Event, bench: &mut Bench<'_>) -> Result<()> {
        if event == Event::VmFailed && !self.server.has_label {
            self.happen(Event::PodReplaced, bench)?;
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
            Event::VmFailed => vm_failed(bench)?,
            Event::CpuPressure => during(bench, || busy(3 * MOMENT))?,
        };
        self.add(event, &seen)
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

    fn add(&mut self, event: Event, (visits, seen): &(Visits, Vec<Seen>)) -> Result<()> {
        let frames = frames(seen.iter());
        expect::holds(visits.made > 0 && !seen.is_empty(), || {
            format!("{event:?}: no connection at the application")
        })?;
        self.made += visits.made;
        self.frames += frames;
        let ended = visits.expect_ended(frames)?;
        // Envoy refuses a connection with the transport of before, and without a VM.
        let may_end = matches!(event, Event::Authenticate(_) | Event::VmFailed);
        expect::holds(may_end || ended == 0, || {
            let first = visits.first_failed();
            format!("{event:?}: {ended} connections ended early: {first}")
        })?;
        self.ended += ended;
        if event == Event::VmFailed {
            self.refused += ended;
        }
        Ok(())
    }
}

/// A VM of the server fails under traffic, and is reloaded.
fn vm_failed(bench: &mut Bench<'_>) -> Result<(Visits, Vec<Seen>)> {
    // Without a certificate, no frame is read.
    bench.authenticate(Mode::Permissive)?;
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
    fn pressure_ends_when_the_time_is_used() {
        let time = Duration::from_millis(400);
        let start = Instant::now();
        busy(time).unwrap();
        let processors = available_parallelism().map_or(1, NonZero::get) as u32;
        assert!(start.elapsed() >= time / processors / 2);
    }
}
