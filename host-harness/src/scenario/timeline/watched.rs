//! A stage that records what happens on it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;

use super::entry::{Action, Entry};
use crate::bytes::Bytes;
use crate::clock::Clock;
use crate::failure::FilterFailure;
use crate::scenario::at_once::{Act, AtOnce};
use crate::scenario::emulated::Emulated;
use crate::scenario::model::{Connect, Update};
use crate::scenario::roles::{End, Side};
use crate::scenario::stage::{Stage, StageError};
use crate::stats::Series;

/// What an application has received so far.
#[derive(Default)]
struct Seen {
    bytes: usize,
    ended: bool,
}

pub(super) struct Watched {
    stage: Emulated,
    clock: Clock,
    /// The number of the step that is played.
    step: Rc<Cell<usize>>,
    entries: Vec<Entry>,
    seen: BTreeMap<(String, bool), Seen>,
}

impl Watched {
    pub(super) fn new(stage: Emulated, clock: Clock, step: Rc<Cell<usize>>) -> Self {
        Self {
            stage,
            clock,
            step,
            entries: Vec::new(),
            seen: BTreeMap::new(),
        }
    }

    pub(super) fn into_entries(self) -> Vec<Entry> {
        self.entries
    }

    fn begin(&mut self, actions: impl IntoIterator<Item = Action>) {
        for action in actions {
            self.entries.push(Entry::Step {
                at: self.clock.now(),
                number: self.step.get(),
                action,
            });
        }
    }

    /// Records what the filters did and what arrived.
    fn record(&mut self) {
        let mut moments = Vec::new();
        for (side, sidecar) in self.stage.sidecars() {
            let taken = sidecar.take_timeline().into_iter();
            moments.extend(taken.map(|moment| (side, moment)));
        }
        moments.sort_by_key(|(_, moment)| moment.number);
        for (side, moment) in moments {
            self.entries.push(Entry::Filter { side, moment });
        }
        let mut names: Vec<_> = self.stage.connections.keys().cloned().collect();
        names.sort();
        for name in names {
            for end in [End::Server, End::Client] {
                self.record_arrival(&name, end);
            }
        }
    }

    fn record_arrival(&mut self, name: &str, end: End) {
        let received = self.stage.received(name, end).unwrap_or_default();
        let ended = self.stage.ended(name, end).unwrap_or_default();
        let key = (name.to_owned(), end == End::Client);
        let seen = self.seen.entry(key).or_default();
        let bytes = received.get(seen.bytes..).unwrap_or_default().to_vec();
        let ends = ended && !seen.ended;
        *seen = Seen {
            bytes: received.len(),
            ended,
        };
        if !bytes.is_empty() || ends {
            self.entries.push(Entry::Arrival {
                at: self.clock.now(),
                connection: name.to_owned(),
                end,
                bytes,
                ended: ends,
            });
        }
    }
}

fn action(end: End, act: &Act) -> Action {
    Action::Act {
        connection: act.connection.clone(),
        end,
        bytes: act.write.as_ref().map(Bytes::to_vec).unwrap_or_default(),
        ends: act.end,
        closes: act.close,
        resets: act.reset,
    }
}

impl Stage for Watched {
    fn connect(&mut self, connect: &Connect) -> Result<(), StageError> {
        self.begin([Action::Connect {
            connection: connect.connection.clone(),
        }]);
        let done = self.stage.connect(connect);
        self.record();
        done
    }

    fn perform(&mut self, end: End, act: &Act) -> Result<(), StageError> {
        self.begin([action(end, act)]);
        let done = self.stage.perform(end, act);
        self.record();
        done
    }

    fn at_once(&mut self, at_once: &AtOnce) -> Result<(), StageError> {
        let actions: Vec<_> = at_once.acts().map(|(end, act)| action(end, act)).collect();
        self.begin(actions);
        let done = self.stage.at_once(at_once);
        self.record();
        done
    }

    fn advance(&mut self, by: Duration) {
        self.begin([Action::Advance(by)]);
        self.stage.advance(by);
        self.record();
    }

    fn update(&mut self, update: &Update) -> Result<(), StageError> {
        self.begin([Action::Update(update.side)]);
        let done = self.stage.update(update);
        self.record();
        done
    }

    fn drain(&mut self, side: Side) -> Result<(), StageError> {
        self.begin([Action::Drain(side)]);
        let done = self.stage.drain(side);
        self.record();
        done
    }

    fn received(&mut self, connection: &str, end: End) -> Result<Vec<u8>, StageError> {
        self.stage.received(connection, end)
    }

    fn ended(&mut self, connection: &str, end: End) -> Result<bool, StageError> {
        self.stage.ended(connection, end)
    }

    fn series(&mut self, side: Side) -> Result<Vec<Series>, StageError> {
        self.stage.series(side)
    }

    fn log(&mut self, side: Side) -> Result<Vec<String>, StageError> {
        self.stage.log(side)
    }

    fn failures(&mut self) -> Result<Vec<(Side, FilterFailure)>, StageError> {
        self.stage.failures()
    }
}
