//! The steps of the applications.

use fastrand::Rng;
use serde_json::{Value, json};

/// The highest number of steps in which both applications write: each multiplies the orders by up
/// to four.
const AT_ONCE: usize = 2;

/// The highest number of greetings: each doubles the orders.
const GREETINGS: usize = 2;

/// What the modes of the upstream connections permit.
#[derive(Clone, Copy)]
pub(super) struct Timing {
    /// The server is connected after the client's first bytes.
    pub(super) is_lazy: bool,
    pub(super) may_greet: bool,
}

/// Two to four connections, one after the other or overlapping.
pub(super) fn steps(rng: &mut Rng, timing: Timing) -> Vec<Value> {
    let mut steps = Vec::new();
    let mut at_once = AT_ONCE;
    let mut greetings = GREETINGS;
    let mut open = Vec::new();
    for number in 0..rng.usize(2..=4) {
        let name = format!("c{number}");
        let greets = timing.may_greet && greetings > 0 && rng.u8(0..3) == 0;
        greetings -= usize::from(greets);
        let greeting = (greets && timing.is_lazy).then(|| bytes(rng));
        steps.push(json!({ "connect": { "connection": name, "greeting": greeting } }));
        if greets && !timing.is_lazy {
            steps.push(json!({ "at_once": [write(rng, "server", &name)] }));
        }
        // Bytes of the server right after the connect may pass before the TLS handshake is over or
        // after it: only `at_once` has both orders in the emulator.
        if !greets && !timing.is_lazy && at_once > 0 && rng.bool() {
            at_once -= 1;
            steps.push(both(rng, &name));
        } else {
            steps.push(write(rng, "client", &name));
        }
        for _ in 0..rng.usize(0..=3) {
            let is_both = at_once > 0 && rng.u8(0..3) == 0;
            at_once -= usize::from(is_both);
            steps.push(match rng.bool() {
                _ if is_both => both(rng, &name),
                true => write(rng, "client", &name),
                false => write(rng, "server", &name),
            });
        }
        if rng.u8(0..3) > 0 {
            steps.extend(ends(rng, &name));
        } else {
            open.push(name);
        }
    }
    steps.extend(open.iter().flat_map(|name| ends(rng, name)));
    steps
}

fn ends(rng: &mut Rng, connection: &str) -> [Value; 2] {
    let mut ends = ["client", "server"];
    rng.shuffle(&mut ends);
    ends.map(|end| json!({ end: { "connection": connection, "end": true } }))
}

fn both(rng: &mut Rng, connection: &str) -> Value {
    let mut acts = vec![
        write(rng, "client", connection),
        write(rng, "server", connection),
    ];
    rng.shuffle(&mut acts);
    json!({ "at_once": acts })
}

fn write(rng: &mut Rng, end: &str, connection: &str) -> Value {
    json!({ end: { "connection": connection, "write": bytes(rng) } })
}

/// Some begin like the magic of a frame.
fn bytes(rng: &mut Rng) -> String {
    let length = match rng.u8(0..10) {
        0 => rng.usize(1000..20_000),
        _ => rng.usize(1..12),
    };
    let text: String = (0..length).map(|_| rng.alphanumeric()).collect();
    match rng.u8(0..8) {
        0 => format!("={text}"),
        1 => format!("=#{text}"),
        _ => text,
    }
}
