//! Random programs: the same seed and index give the same program.

mod filters;
mod script;
mod steps;

use std::collections::BTreeSet;
use std::fmt;

use fastrand::Rng;
use host_harness::Profile;
use serde_json::{Value, json};

use filters::{chains, filters};
use steps::{Plan, steps};

use crate::version::has_connect_modes;

/// The place of the file of the second module in a program.
pub(super) const OTHER: &str = "OTHER-MODULE";

/// A program.
#[derive(Clone, Debug)]
pub struct Program {
    /// The scenario, without expectations.
    pub scenario: Value,
    /// The features of Envoy that it has, by the names in [`FEATURES`](crate::FEATURES).
    pub features: BTreeSet<&'static str>,
}

/// The sidecar whose filters are chosen.
struct Kit<'a> {
    /// A word that no other sidecar of a run has.
    id: String,
    side: &'a str,
    /// The downstream connections of the sidecar have TLS.
    is_tls: bool,
    /// TLS between the sidecars; null without.
    mtls: &'a Value,
    /// There is no other sidecar.
    is_alone: bool,
    /// tcp_proxy has `upstream_connect_mode`.
    has_modes: bool,
}

impl Kit<'_> {
    /// The connections between the sidecars have TLS.
    fn has_tls(&self) -> bool {
        !self.mtls.is_null()
    }

    /// The conditions of a filter chain that the connections meet.
    fn facts(&self) -> Vec<(&'static str, Value)> {
        if !self.is_tls {
            return vec![("transport_protocol", json!("raw_buffer"))];
        }
        let mut facts = vec![("transport_protocol", json!("tls"))];
        let name = self.mtls.get("server_name").and_then(Value::as_str);
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            facts.push(("server_names", json!([name])));
        }
        let offered = self.mtls.get("offered_alpn").and_then(Value::as_array);
        let offered = offered.into_iter().flatten();
        facts.extend(offered.map(|one| ("application_protocols", json!([one]))));
        facts
    }
}

impl Program {
    /// A program with this scenario, of no random feature.
    #[must_use]
    pub fn named(scenario: Value) -> Self {
        let features = BTreeSet::new();
        Self { scenario, features }
    }

    /// The program with these features only.
    pub(super) fn of(&self, features: BTreeSet<&'static str>) -> Self {
        let scenario = self.scenario.clone();
        Self { scenario, features }
    }

    /// Whether its effects depend on real time.
    pub(super) fn depends_on_time(&self) -> bool {
        let timed = ["idle-timeout", "ticks", "reload", "drain", "update"];
        timed.iter().any(|feature| self.features.contains(feature))
    }
}

impl fmt::Display for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.scenario)
    }
}

/// Returns the `index`-th random program of a seed, for this version of Envoy.
#[must_use]
pub fn program(profile: Profile, seed: u64, index: usize) -> Program {
    let mut rng = Rng::with_seed(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (index as u64) << 20);
    let rng = &mut rng;
    let mut features = BTreeSet::new();
    let has = match rng.u8(0..10) {
        0..=5 => [true, true],
        6..=7 => [true, false],
        _ => [false, true],
    };
    if has == [true, true] {
        features.insert("two-sidecars");
    }
    let mtls = match has == [true, true] && rng.u8(0..3) > 0 {
        true => mtls(rng, &mut features),
        false => Value::Null,
    };
    let mut plan = Plan::new(rng, &mut features);
    let mut scenario = json!({ "name": format!("program {index} of seed {seed}"), "mtls": mtls });
    for (side, has) in ["outbound", "inbound"].into_iter().zip(has) {
        if has {
            let kit = Kit {
                id: format!("p{index}{}", side.get(..1).unwrap_or_default()),
                side,
                is_tls: !mtls.is_null() && side == "inbound",
                mtls: &mtls,
                is_alone: !features.contains("two-sidecars"),
                has_modes: has_connect_modes(profile),
            };
            let sidecar = sidecar(rng, &kit, &mut plan, &mut features);
            if let Some(scenario) = scenario.as_object_mut() {
                scenario.insert(side.to_owned(), sidecar);
            }
        }
    }
    plan.may_close |= features.contains("close-by-a-filter") || features.contains("rbac");
    if let Some(scenario) = scenario.as_object_mut() {
        scenario.insert("steps".into(), steps(rng, &plan, &mut features).into());
    }
    Program { scenario, features }
}

fn sidecar(
    rng: &mut Rng,
    kit: &Kit,
    plan: &mut Plan,
    features: &mut BTreeSet<&'static str>,
) -> Value {
    let id = &kit.id;
    let mut sidecar = json!({
        "node": { "id": "node" },
        "cluster": { "name": format!("{id}.main") },
        "clusters": [{ "name": format!("{id}.other") }],
    });
    let Some(keys) = sidecar.as_object_mut() else {
        return sidecar;
    };
    let has_chains = match kit.side {
        "inbound" => rng.u8(0..5) < 2,
        _ => false,
    };
    if has_chains {
        keys.insert("chains".into(), chains(rng, kit, plan, features).into());
    } else {
        keys.insert(
            "filters".into(),
            filters(rng, kit, plan, "", features).into(),
        );
    }
    // If the next proxy closes the connection when it opens, the first bytes may be there or not.
    let races = kit.side == "outbound" && !kit.is_alone && !kit.has_tls();
    let mode = match (rng.u8(0..10), kit.is_tls) {
        _ if !kit.has_modes || races => None,
        (0, _) => Some("ON_DOWNSTREAM_DATA"),
        (1, true) => Some("ON_DOWNSTREAM_TLS_HANDSHAKE"),
        _ => None,
    };
    if let Some(mode) = mode {
        features.insert("connect-mode");
        keys.insert("upstream_connect_mode".into(), json!(mode));
    }
    // The timeouts of both sides would end at the same time.
    if plan.is_idle && (kit.is_alone || kit.side == "outbound") {
        keys.insert("idle_timeout".into(), json!("600ms"));
    }
    if rng.u8(0..8) == 0 {
        features.insert("max-connections");
        let name = format!("{id}.main");
        let limit = rng.u8(1..=2);
        keys.insert(
            "cluster".into(),
            json!({ "name": name, "max_connections": limit }),
        );
    }
    if !kit.has_tls() && rng.u8(0..8) == 0 {
        features.insert("buffer-limit");
        // The second proxy reads what the first has written in events of any size.
        plan.has_long_writes = kit.is_alone;
        keys.insert("buffer_limit".into(), json!(rng.usize(1..12)));
    }
    sidecar
}

fn mtls(rng: &mut Rng, features: &mut BTreeSet<&'static str>) -> Value {
    features.insert("tls");
    let mut names = |who: &str, least| {
        let count = rng.usize(least..=3);
        if count > 1 {
            features.insert("several-sans");
        }
        let names = (0..count).map(|at| format!("spiffe://mesh/ns/default/sa/{who}{at}"));
        names.collect::<Vec<_>>()
    };
    let (client, server) = (names("client", 0), names("server", 1));
    if client.is_empty() {
        features.insert("tls-without-client-certificate");
    }
    let server_name = any(rng, &["", "a.test", "b.a.test", "c.test"]);
    if !server_name.is_empty() {
        features.insert("sni");
    }
    let offered: &[&str] = match rng.u8(0..4) {
        0 => &["istio-peer-exchange", "istio"],
        1 => &["h2"],
        2 => &["x", "h2"],
        _ => &[],
    };
    if !offered.is_empty() {
        features.insert("alpn");
    }
    json!({
        "client": client,
        "server": server,
        "server_name": server_name,
        "offered_alpn": offered,
        "accepted_alpn": any(rng, &["h2", "istio-peer-exchange"]).split(' ').collect::<Vec<_>>(),
    })
}

fn any<'a>(rng: &mut Rng, choices: &[&'a str]) -> &'a str {
    let index = rng.usize(0..choices.len().max(1));
    choices.get(index).copied().unwrap_or_default()
}
