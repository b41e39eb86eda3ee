//! The targets of the project, compared with the measured values.

use crate::cost::{Cost, Costs, total};
use crate::figures::Figures;

/// A row of the table of targets.
#[derive(Clone, Debug, PartialEq)]
pub struct Target {
    /// The name of the value.
    pub what: String,
    /// The measured value.
    pub measured: f64,
    /// Its upper limit.
    pub limit: f64,
}

impl Target {
    /// The measured value is within the limit.
    #[must_use]
    pub fn is_met(&self) -> bool {
        self.measured <= self.limit
    }
}

/// The targets for these figures, without targets whose value was not measured.
#[must_use]
pub fn targets(figures: &Figures) -> Vec<Target> {
    let mut targets = Vec::new();
    let mut target = |what: String, measured: Option<f64>, limit: f64| {
        targets.extend(measured.map(|measured| Target {
            what,
            measured,
            limit,
        }));
    };
    let costs = |name: &str| figures.costs.get(name);
    let bytes = |name: &str| figures.bytes.get(name).map(|bytes| *bytes as f64);
    let empty = costs("empty filter, data").map(per_call);
    for side in ["outbound", "inbound"] {
        let data = costs(&format!("{side}, data"));
        let sum = |of: fn(&Cost) -> u64| data.map(|data| of(&total(data)) as f64);
        target(
            format!("{side}: host calls in 20 data callbacks"),
            sum(|cost| cost.hostcalls),
            0.0,
        );
        target(
            format!("{side}: allocations in 20 data callbacks"),
            sum(|cost| cost.allocations),
            0.0,
        );
        let ratio = data
            .map(per_call)
            .zip(empty)
            .map(|(own, empty)| own / empty);
        target(
            format!("{side}: fuel of a data callback ÷ an empty filter's"),
            ratio,
            1.5,
        );
        for series in ["new", "known"] {
            let whole = costs(&format!("{side}, connection, series {series}")).map(total);
            let fuel = whole.map(|whole| whole.fuel as f64);
            target(
                format!("{side}: fuel of a connection, series {series}"),
                fuel,
                60_000.0,
            );
            if series == "known" {
                let calls = whole.map(|whole| whole.hostcalls as f64);
                target(
                    format!("{side}: host calls of a connection, series {series}"),
                    calls,
                    16.0,
                );
            }
        }
        let tick = |open: &str| costs(&format!("{side}, tick, {open}")).map(total);
        let busy = tick("10 000 busy in 20 series").map(|tick| tick.hostcalls as f64);
        target(
            format!("{side}: host calls of a tick, 10 000 moved bytes in 20 series"),
            busy,
            40.0,
        );
        let growth = bytes(&format!(
            "{side}, growth after connections that came and went"
        ));
        target(
            format!("{side}: bytes of growth after connections that came and went"),
            growth,
            0.0,
        );
    }
    let tick = |open: &str| costs(&format!("inbound, tick, {open} idle")).map(total);
    let idle = tick("100 000");
    let calls = idle.map(|tick| tick.hostcalls as f64);
    target(
        "host calls of a tick, 100 000 open and idle".into(),
        calls,
        0.0,
    );
    let ratio = idle.zip(tick("1 000"));
    let ratio = ratio.map(|(many, few)| many.fuel as f64 / few.fuel as f64);
    target("fuel of that tick ÷ with 1 000 open".into(), ratio, 1.0);
    let memory = bytes("inbound, guest memory per open connection");
    target(
        "bytes of guest memory per open connection, at 100 000".into(),
        memory,
        256.0,
    );
    target(".wasm: KiB".into(), bytes("wasm").map(kib), 200.0);
    target(
        ".wasm, gzipped: KiB".into(),
        bytes("wasm, gzipped").map(kib),
        80.0,
    );
    targets
}

fn per_call(costs: &Costs) -> f64 {
    let total = total(costs);
    total.fuel as f64 / total.calls.max(1) as f64
}

fn kib(bytes: f64) -> f64 {
    bytes / 1024.0
}
