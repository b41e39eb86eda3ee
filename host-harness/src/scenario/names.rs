//! The names in a scenario that refer to something else in it.

use std::fmt;

use super::expectation::Expectation;
use super::model::{Scenario, SidecarSpec, Step, Target};
use super::roles::Side;

/// A key whose value refers to nothing in the scenario.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnknownName {
    /// The place of the key, such as `inbound.chains[1].cluster`. Items are counted from 0.
    pub key: String,
    /// What the key refers to: a cluster, a connection, a sidecar or a wasm filter.
    pub kind: &'static str,
    /// The value.
    pub name: String,
    /// The values that the key can have there.
    pub known: Vec<String>,
}

/// A key that has no effect where it is.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct UnusedKey {
    /// The place of the key, such as `inbound.host.name`. Items are counted from 0.
    pub key: String,
    /// The reason and the remedy.
    pub why: &'static str,
}

impl fmt::Display for UnusedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, why } = self;
        write!(f, "`{key}` has no effect: {why}")
    }
}

impl fmt::Display for UnknownName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key, kind, name, ..
        } = self;
        write!(f, "`{key}`: there is no {kind} {name:?}; the scenario has ")?;
        match self.known.as_slice() {
            [] => f.write_str("none at this place"),
            known => f.write_str(&quoted(known)),
        }
    }
}

fn quoted(names: &[String]) -> String {
    let quoted: Vec<_> = names.iter().map(|name| format!("{name:?}")).collect();
    quoted.join(", ")
}

impl Scenario {
    /// Finds the first key that refers to nothing.
    pub(super) fn check_names(&self) -> Result<(), UnknownName> {
        for (side, spec) in [
            (Side::Outbound, &self.outbound),
            (Side::Inbound, &self.inbound),
        ] {
            if let Some(spec) = spec {
                spec.check_clusters(side)?;
            }
        }
        let mut connections = Vec::new();
        for (at, step) in self.steps.iter().enumerate() {
            let key = |name: &str| format!("steps[{at}].{name}");
            for (end, act) in step.acts() {
                let key = key(&match step {
                    Step::AtOnce(_) => format!("at_once: {end}.connection"),
                    _ => format!("{end}.connection"),
                });
                known(key, "connection", &act.connection, &connections)?;
            }
            match step {
                Step::Connect(connect) => connections.push(connect.connection.clone()),
                Step::Update(update) => {
                    let spec = self.check_side(key("update.side"), update.side)?;
                    let filters: Vec<_> = spec.wasm_positions().map(|at| at.to_string()).collect();
                    let name = update.filter.to_string();
                    known(key("update.filter"), "wasm filter", &name, &filters)?;
                }
                Step::Drain(side) => drop(self.check_side(key("drain"), *side)?),
                Step::Expect(expectation) => {
                    self.check_expectation(&key("expect"), expectation, &connections)?;
                }
                Step::Client(_) | Step::Server(_) | Step::AtOnce(_) | Step::Advance(_) => {}
            }
        }
        Ok(())
    }

    /// Finds the first key without effect.
    pub(super) fn check_unused(&self) -> Result<(), UnusedKey> {
        for (side, spec) in [
            (Side::Outbound, &self.outbound),
            (Side::Inbound, &self.inbound),
        ] {
            if let Some((key, why)) = spec.as_ref().and_then(SidecarSpec::unused) {
                let key = format!("{side}.{key}");
                return Err(UnusedKey { key, why });
            }
        }
        Ok(())
    }

    fn check_expectation(
        &self,
        key: &str,
        expectation: &Expectation,
        connections: &[String],
    ) -> Result<(), UnknownName> {
        let connection = &expectation.connection;
        let is_of_application = expectation.client.is_some() || expectation.server.is_some();
        if is_of_application || !connection.is_empty() {
            let key = format!("{key}.connection");
            known(key, "connection", connection, connections)?;
        }
        for (side, report) in [
            (Side::Outbound, &expectation.outbound),
            (Side::Inbound, &expectation.inbound),
        ] {
            if report.is_some() {
                self.check_side(format!("{key}.{side}"), side)?;
            }
        }
        for (at, alternative) in expectation.one_of.iter().enumerate() {
            self.check_expectation(&format!("{key}.one_of[{at}]"), alternative, connections)?;
        }
        Ok(())
    }

    fn check_side(&self, key: String, side: Side) -> Result<&SidecarSpec, UnknownName> {
        self.sidecar(side).ok_or_else(|| UnknownName {
            key,
            kind: "sidecar",
            name: side.to_string(),
            known: [Side::Outbound, Side::Inbound]
                .into_iter()
                .filter(|side| self.sidecar(*side).is_some())
                .map(|side| side.to_string())
                .collect(),
        })
    }
}

impl SidecarSpec {
    /// The first key without effect, and why.
    fn unused(&self) -> Option<(String, &'static str)> {
        let is_unnamed = |target: &Target| target.name.as_deref().unwrap_or_default().is_empty();
        let unnamed = self.clusters.iter().position(is_unnamed);
        if !self.filters.is_empty() && !self.chains.is_empty() {
            let why = "`chains` are in its place; move the filters into a chain";
            return Some(("filters".to_owned(), why));
        }
        if self.host.name.is_some() {
            let why = "a host has no name; name the `cluster`";
            return Some(("host.name".to_owned(), why));
        }
        if self.host.max_connections.is_some() {
            let why = "the limit is that of a cluster; move it into `cluster`";
            return Some(("host.max_connections".to_owned(), why));
        }
        let why = "nothing can choose a cluster without a name; add `name`";
        unnamed.map(|at| (format!("clusters[{at}]"), why))
    }

    fn check_clusters(&self, side: Side) -> Result<(), UnknownName> {
        let names = self.clusters.iter().chain([&self.cluster]);
        let names: Vec<_> = names.filter_map(|target| target.name.clone()).collect();
        for (at, chain) in self.chains.iter().enumerate() {
            if let Some(name) = &chain.cluster {
                known(
                    format!("{side}.chains[{at}].cluster"),
                    "cluster",
                    name,
                    &names,
                )?;
            }
        }
        Ok(())
    }
}

fn known(key: String, kind: &'static str, name: &str, among: &[String]) -> Result<(), UnknownName> {
    match among.iter().any(|one| one == name) {
        true => Ok(()),
        false => Err(UnknownName {
            key,
            kind,
            name: name.to_owned(),
            known: among.to_vec(),
        }),
    }
}
