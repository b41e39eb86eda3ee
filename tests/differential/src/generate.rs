//! Random scenarios: the same seed and index give the same scenario.

mod script;

use std::time::Duration;

use fastrand::Rng;
use host_harness::{ConnectMode, Profile};

use crate::scenario::{Act, Scenario, Step};
use crate::version::has_connect_modes;

/// Long enough for a timer of [`script::TICK`] to fire on a busy machine.
const WAIT: Duration = Duration::from_millis(25);

const LONGEST: usize = 9;

/// The highest number of steps in which both applications act: each doubles the orders.
const AT_ONCE: usize = 3;

/// Returns the `index`-th random scenario of a seed, for this version of Envoy.
#[must_use]
pub fn scenario(profile: Profile, seed: u64, index: usize) -> Scenario {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index as u64);
    let ticks = rng.u8(0..10) == 0;
    let script = script::script(&mut rng, ticks);
    let connect_mode = match rng.u8(0..10) {
        0..=6 => ConnectMode::Immediate,
        _ if !has_connect_modes(profile) => ConnectMode::Immediate,
        7..=8 => ConnectMode::OnDownstreamData,
        _ => ConnectMode::OnDownstreamTlsHandshake,
    };
    // Whether a connection that a filter closes is reset depends on the bytes in the kernel.
    let closes = script.contains("close ") || script.contains("trap");
    let mut steps = steps(&mut rng, !ticks && !closes);
    if ticks {
        let waits = steps
            .into_iter()
            .flat_map(|step| [step, Step::Advance(WAIT)]);
        steps = std::iter::once(Step::Advance(WAIT)).chain(waits).collect();
    }
    Scenario {
        name: format!("{index} of seed {seed}"),
        script,
        connect_mode,
        steps,
    }
}

/// The steps of the applications: none acts after it closed, and none writes after it ended.
/// `at_once`: both may act at once.
fn steps(rng: &mut Rng, at_once: bool) -> Vec<Step> {
    let mut states = [State::Open, State::Open];
    let mut steps = Vec::new();
    let mut left = if at_once { AT_ONCE } else { 0 };
    for _ in 0..rng.usize(1..=LONGEST) {
        if left > 0 && matches!(states, [State::Open, State::Open]) && rng.u8(0..6) == 0 {
            left -= 1;
            steps.push(Step::AtOnce {
                client: Act::Write(bytes(rng)),
                server: Act::Write(bytes(rng)),
            });
            continue;
        }
        let side = rng.usize(0..2);
        let Some(state) = states.get_mut(side) else {
            continue;
        };
        let act = match state {
            State::Open => act(rng),
            State::Ended => closing(rng),
            State::Closed => continue,
        };
        *state = match act {
            Act::Write(_) => State::Open,
            Act::WriteAndEnd(_) | Act::End => State::Ended,
            Act::Close | Act::Reset => State::Closed,
        };
        steps.push(if side == 0 {
            Step::Client(act)
        } else {
            Step::Server(act)
        });
    }
    steps
}

enum State {
    Open,
    Ended,
    Closed,
}

fn act(rng: &mut Rng) -> Act {
    match rng.u8(0..100) {
        0..=64 => Act::Write(bytes(rng)),
        65..=74 => Act::WriteAndEnd(bytes(rng)),
        75..=86 => Act::End,
        _ => closing(rng),
    }
}

fn closing(rng: &mut Rng) -> Act {
    if rng.bool() { Act::Close } else { Act::Reset }
}

fn bytes(rng: &mut Rng) -> Vec<u8> {
    let length = match rng.u8(0..10) {
        0..=7 => rng.usize(1..9),
        8 => rng.usize(9..200),
        _ => 1,
    };
    let any = |_| match rng.u8(0..8) {
        0 => rng.u8(..),
        _ => rng.alphanumeric() as u8,
    };
    (0..length).map(any).collect()
}
