//! The answers of one host, and their text.

use std::fmt::{self, Display, Formatter};

use crate::answers::{Callback, status, timeline, value};
use crate::ask::{self, CALLS, FUNCTIONS, PROPERTIES};
use crate::imports::Imports;

/// The answers of an Envoy or of the emulator. Its text is a profile's file.
#[derive(Clone, Debug, Default)]
pub struct Survey {
    /// The release that was asked.
    pub(crate) release: String,
    /// The callbacks of the outbound probe: plaintext downstream, mutual TLS upstream.
    pub(crate) outbound: Vec<Callback>,
    /// The callbacks of the inbound probe: mutual TLS downstream, plaintext upstream.
    pub(crate) inbound: Vec<Callback>,
    /// The keys of filter state that exist, with the values that each accepts.
    pub(crate) objects: Vec<(&'static str, Vec<&'static str>)>,
    /// The importable functions.
    pub(crate) imports: Imports,
    /// The answers in which the effective context is another one.
    pub(crate) contexts: Vec<String>,
    /// What two plugins share, by what differs between them.
    pub(crate) sharing: Vec<(String, String)>,
}

impl Display for Survey {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# What a network filter sees in this Envoy. `cargo profiles --write` writes this file."
        )?;
        writeln!(f, "release: {}", self.release)?;
        self.functions(f)?;
        writeln!(
            f,
            "# Keys of set_envoy_filter_state, with the values that each accepts of some."
        )?;
        writeln!(f, "filter_state_objects:")?;
        for (key, accepted) in &self.objects {
            writeln!(f, "  {key}: {accepted:?}")?;
        }
        self.properties(f)?;
        writeln!(
            f,
            "# Statuses by callback: each lasts until the next that is named."
        )?;
        for (name, callbacks) in self.sides() {
            writeln!(f, "calls_{name}:")?;
            for (call, action) in CALLS {
                let timeline = timeline(callbacks, action, status, "");
                writeln!(f, "  {call}: {}", flow(&timeline))?;
            }
        }
        writeln!(
            f,
            "# In the order of the calls: first and second are connections."
        )?;
        writeln!(f, "effective_context:")?;
        for answer in &self.contexts {
            writeln!(f, "- \"{answer}\"")?;
        }
        writeln!(f, "# Two plugins with the same configuration but for this.")?;
        writeln!(f, "sharing:")?;
        for (difference, shared) in &self.sharing {
            writeln!(f, "  {difference}: {shared}")?;
        }
        writeln!(
            f,
            "# Functions by the ABI versions, or the WASI modules, in which a module can import them."
        )?;
        writeln!(f, "imports:")?;
        for (function, sections) in &self.imports {
            writeln!(f, "  {function}: [{}]", sections.join(", "))?;
        }
        Ok(())
    }
}

impl Survey {
    fn sides(&self) -> [(&'static str, &[Callback]); 2] {
        [("outbound", &self.outbound), ("inbound", &self.inbound)]
    }

    /// The foreign functions. One that answers NotFound in every callback does not exist.
    fn functions(&self, f: &mut Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "# Statuses by callback: each lasts until the next that is named."
        )?;
        writeln!(f, "foreign_functions:")?;
        for function in FUNCTIONS {
            let action = ask::function(*function);
            let timeline = timeline(&self.outbound, &action, status, "NotFound");
            if !timeline.is_empty() {
                writeln!(f, "  {}: {}", function.0, flow(&timeline))?;
            }
        }
        Ok(())
    }

    /// The properties. The absent ones are NotFound in every callback on both sides.
    fn properties(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let mut absent: Vec<_> = PROPERTIES.iter().flat_map(|(_, paths)| *paths).collect();
        writeln!(
            f,
            "# Values by callback: each lasts until the next that is named; before the first, NotFound."
        )?;
        for (name, callbacks) in self.sides() {
            writeln!(f, "properties_{name}:")?;
            for (kind, path) in paths() {
                let action = format!("property {path}");
                let timeline =
                    timeline(callbacks, &action, |answer| value(kind, answer), "NotFound");
                if !timeline.is_empty() {
                    absent.retain(|other| **other != path);
                    writeln!(f, "  {}: {}", path.replace('/', "."), flow(&timeline))?;
                }
            }
        }
        writeln!(f, "# Properties that do not exist in any callback.")?;
        writeln!(f, "absent:")?;
        for path in absent {
            writeln!(f, "- {}", path.replace('/', "."))?;
        }
        Ok(())
    }
}

fn paths() -> impl Iterator<Item = (ask::Kind, &'static str)> {
    let paths = |(kind, paths): &'static (ask::Kind, &'static [&'static str])| {
        paths.iter().map(|path| (*kind, *path))
    };
    PROPERTIES.iter().flat_map(paths)
}

fn flow(timeline: &[(&str, String)]) -> String {
    let entries: Vec<_> = timeline
        .iter()
        .map(|(moment, answer)| format!("{moment}: {answer}"))
        .collect();
    format!("{{ {} }}", entries.join(", "))
}
