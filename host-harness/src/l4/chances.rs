//! What real Envoys do in one way or another, as two processes happen to run.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

/// What can happen between two proxies, or not.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Chance {
    /// A proxy sees bytes and the end behind them as two events.
    EndApart,
    /// That end arrives after all else that is in transit.
    EndLate,
    /// A proxy sees what is in transit from the other one as one event.
    Together,
    /// What a proxy sends for an action of one application is in transit until it has seen that of
    /// the other one.
    Crossing,
    /// The owner of a queue is notified after the next event.
    NotifyLate,
    /// A proxy that closes the connection to a client sees that it was reset.
    SeeReset,
    /// A listener sees the end of a connection before the first bytes.
    EndFirst,
    /// A proxy that forwards a reset loses the bytes that it has written in the same event.
    LoseUnsent,
}

/// Which chances happen. Clones share their state.
#[derive(Clone, Debug, Default)]
pub struct Chances(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    always: BTreeSet<Chance>,
    script: Option<Vec<bool>>,
    /// What was answered so far.
    answers: Vec<bool>,
}

impl Chances {
    /// Each of these happens whenever it can, no other ever does.
    #[must_use]
    pub fn always(chances: impl IntoIterator<Item = Chance>) -> Self {
        let always = chances.into_iter().collect();
        Self::with(State {
            always,
            ..State::default()
        })
    }

    /// The first of all combinations: nothing happens. [`Self::next`] has the others.
    #[must_use]
    pub fn scripted() -> Self {
        Self::with(State {
            script: Some(Vec::new()),
            ..State::default()
        })
    }

    /// The next combination, after a scenario was played with this one; `None` after the last.
    #[must_use]
    pub fn next(&self) -> Option<Self> {
        let mut script = self.0.borrow().answers.clone();
        while script.pop()? {}
        script.push(true);
        Some(Self::with(State {
            script: Some(script),
            ..State::default()
        }))
    }

    /// Whether this happens now.
    pub(crate) fn happens(&self, chance: Chance) -> bool {
        let state = &mut *self.0.borrow_mut();
        let Some(script) = &state.script else {
            return state.always.contains(&chance);
        };
        let answer = script.get(state.answers.len()).copied().unwrap_or_default();
        state.answers.push(answer);
        answer
    }

    fn with(state: State) -> Self {
        Self(Rc::new(RefCell::new(state)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_combination_comes_once() {
        let mut seen = Vec::new();
        let mut chances = Some(Chances::scripted());
        while let Some(now) = chances {
            let first = now.happens(Chance::EndApart);
            // The second question is asked only after one answer of the first.
            let second = first && now.happens(Chance::LoseUnsent);
            seen.push((first, second));
            chances = now.next();
        }
        assert_eq!(seen, [(false, false), (true, false), (true, true)]);
    }
}
