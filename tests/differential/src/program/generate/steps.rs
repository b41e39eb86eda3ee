//! The steps of a program.

use std::collections::BTreeSet;

use fastrand::Rng;
use serde_json::{Value, json};

use super::any;

/// The highest number of steps in which both applications write: each multiplies the orders by up
/// to four.
const AT_ONCE: usize = 2;

/// What the sidecars need of the steps.
#[derive(Debug)]
pub(super) struct Plan {
    /// tcp_proxy has an idle timeout.
    pub(super) is_idle: bool,
    /// Probes have timers.
    pub(super) has_ticks: bool,
    /// A probe has its timer.
    pub(super) has_timer: bool,
    /// A VM may start again.
    pub(super) is_reloading: bool,
    /// A listener is updated.
    has_update: bool,
    pub(super) has_long_writes: bool,
    /// A filter may close a connection while bytes are on their way.
    pub(super) may_close: bool,
    pub(super) least_connections: usize,
    /// The sides of the probe filters.
    probes: Vec<String>,
}

impl Plan {
    pub(super) fn new(rng: &mut Rng, features: &mut BTreeSet<&'static str>) -> Self {
        let kind = rng.u8(0..30);
        let plan = Self {
            is_idle: kind == 0,
            has_ticks: (1..=3).contains(&kind),
            has_timer: false,
            has_update: kind == 4,
            is_reloading: false,
            has_long_writes: false,
            may_close: false,
            least_connections: 1,
            probes: Vec::new(),
        };
        let own = [(plan.is_idle, "idle-timeout"), (plan.has_ticks, "ticks")];
        features.extend(own.iter().filter(|(has, _)| *has).map(|(_, name)| *name));
        plan
    }

    pub(super) fn add_probe(&mut self, side: &str) {
        self.probes.push(side.to_owned());
    }
}

/// The state of an application's socket.
#[derive(Clone, Copy, Eq, PartialEq)]
enum State {
    Open,
    Ended,
    Left,
}

/// A connection and the states of client and server.
struct Connection {
    name: String,
    states: [State; 2],
}

const ENDS: [&str; 2] = ["client", "server"];

/// One to three connections, one after the other or overlapping.
pub(super) fn steps(
    rng: &mut Rng,
    plan: &Plan,
    features: &mut BTreeSet<&'static str>,
) -> Vec<Value> {
    let count = match plan.is_idle {
        // Of two connections with the same timeout, either may be closed first.
        true => 1,
        false => rng.usize(plan.least_connections..=3),
    };
    let mut connections: Vec<Connection> = Vec::new();
    let mut steps = Vec::new();
    // Whether a connection that a filter closes is reset depends on the bytes in the kernel.
    let may_be_at_once = !plan.has_ticks && !plan.may_close;
    let mut at_once = if may_be_at_once { AT_ONCE } else { 0 };
    let mut update = plan.has_update;
    for _ in 0..rng.usize(3..=10) {
        let is_busy = connections.iter().any(|one| one.states != [State::Left; 2]);
        if connections.len() < count && (connections.is_empty() || rng.u8(0..4) == 0) {
            if is_busy {
                features.insert("overlapping-connections");
            }
            let name = format!("c{}", connections.len());
            if plan.is_reloading {
                // More than the shortest backoff.
                steps.push(json!({ "advance": "20ms" }));
            }
            steps.push(json!({ "connect": { "connection": name } }));
            connections.push(Connection {
                name,
                states: [State::Open; 2],
            });
        } else if update && rng.u8(0..3) == 0 {
            update = false;
            steps.extend(updated(rng, plan, features));
        } else {
            let at = rng.usize(0..connections.len().max(1));
            if let Some(connection) = connections.get_mut(at) {
                let is_both = at_once > 0 && rng.u8(0..8) == 0;
                at_once -= usize::from(is_both && connection.states == [State::Open; 2]);
                steps.extend(connection.act(rng, plan, is_both, features));
            }
        }
        steps.extend(pause(rng, plan));
    }
    if steps.iter().any(|step| step.get("update").is_some()) && rng.bool() {
        features.insert("drain");
        let side = steps
            .iter()
            .find_map(|step| step.pointer("/update/side").cloned());
        steps.push(json!({ "drain": side }));
    }
    steps
}

/// Another configuration of the first probe, if it is the first filter of its sidecar.
fn updated(rng: &mut Rng, plan: &Plan, features: &mut BTreeSet<&'static str>) -> Option<Value> {
    let side = plan.probes.first()?;
    features.insert("update");
    let script = any(
        rng,
        &[
            "downstream_data: set downstream 0 0 new",
            "upstream_data: pause",
        ],
    );
    Some(json!({ "update": { "side": side, "filter": 0, "configuration": script } }))
}

/// Time for timers and timeouts.
fn pause(rng: &mut Rng, plan: &Plan) -> Option<Value> {
    let time = if plan.has_ticks {
        "100ms"
    } else if plan.is_idle && rng.bool() {
        any(rng, &["350ms", "900ms"])
    } else {
        return None;
    };
    Some(json!({ "advance": time }))
}

impl Connection {
    fn act(
        &mut self,
        rng: &mut Rng,
        plan: &Plan,
        is_both: bool,
        features: &mut BTreeSet<&'static str>,
    ) -> Option<Value> {
        if is_both && self.states == [State::Open; 2] {
            features.insert("both-at-once");
            // The emulator does not divide one write by those of the other application.
            let mut acts = ENDS.map(|end| json!({ end: self.write(rng, plan, false) }));
            rng.shuffle(&mut acts);
            return Some(json!({ "at_once": acts }));
        }
        let side = rng.usize(0..2);
        let (end, state) = (ENDS.get(side)?, self.states.get(side)?);
        let name = &self.name;
        let (act, then) = match (state, rng.u8(0..100)) {
            (State::Left, _) => return None,
            (State::Open, 0..=69) => (self.write(rng, plan, true), State::Open),
            (State::Open, 70..=87) => {
                features.insert("half-close");
                (json!({ "connection": name, "end": true }), State::Ended)
            }
            (_, number) if number % 2 == 0 => {
                features.insert("reset");
                (json!({ "connection": name, "reset": true }), State::Left)
            }
            _ => {
                features.insert("close");
                (json!({ "connection": name, "close": true }), State::Left)
            }
        };
        *self.states.get_mut(side)? = then;
        Some(json!({ *end: act }))
    }

    fn write(&self, rng: &mut Rng, plan: &Plan, may_be_long: bool) -> Value {
        // A connection that a filter closes with bytes in the kernel is reset.
        let is_long = may_be_long && plan.has_long_writes && !plan.may_close;
        let length = match rng.u8(0..10) {
            0 if is_long => rng.usize(16_000..40_000),
            1 if !plan.has_long_writes => 1,
            _ => rng.usize(1..9),
        };
        let text: String = (0..length).map(|_| rng.alphanumeric()).collect();
        json!({ "connection": self.name, "write": text })
    }
}
