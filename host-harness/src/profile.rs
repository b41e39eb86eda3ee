//! The versions of Envoy: what differs between them, as it was measured.
//!
//! The files in `profiles/` are the answers that a probe filter got in these Envoys. Their comments
//! explain their sections.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// The version of Envoy that is emulated: which attributes, foreign functions and filter state
/// objects exist.
///
/// ```
/// use host_harness::Profile;
///
/// assert_eq!("1.36".parse(), Ok(Profile::V1_36));
/// assert_eq!("1.36.4".parse(), Ok(Profile::V1_36), "a release has its minor version's");
/// assert_eq!(Profile::V1_36.to_string(), "1.36");
/// assert_eq!(Profile::default(), Profile::V1_40);
/// ```
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Deserialize, schemars::JsonSchema,
)]
#[non_exhaustive]
pub enum Profile {
    /// The Envoy of Istio 1.7: `node`, `cluster_name`, … are attribute roots of their own, as in all
    /// Envoys before 1.33. The rest is as in 1.36.
    #[serde(rename = "legacy")]
    Legacy,
    /// Envoy 1.36.
    #[serde(rename = "1.36")]
    V1_36,
    /// Envoy 1.37.
    #[serde(rename = "1.37")]
    V1_37,
    /// Envoy 1.38.
    #[serde(rename = "1.38")]
    V1_38,
    /// Envoy 1.39.
    #[serde(rename = "1.39")]
    V1_39,
    /// Envoy 1.40.
    #[default]
    #[serde(rename = "1.40")]
    V1_40,
}

/// A text that names no [`Profile`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no profile of Envoy {0}: use one of {names}", names = Profile::names())]
pub struct UnknownProfile(String);

/// The content of a profile's file that the emulator reads.
#[derive(Debug, Default, Deserialize)]
struct Sheet {
    release: String,
    foreign_functions: BTreeMap<String, IgnoredAny>,
    filter_state_objects: BTreeMap<String, IgnoredAny>,
    absent: BTreeSet<String>,
    /// Functions of WASI and of the ABI, by the modules and ABI versions that have them.
    imports: BTreeMap<String, Vec<String>>,
}

/// The profiles that were measured, oldest first.
static SHEETS: LazyLock<BTreeMap<Profile, Sheet>> = LazyLock::new(|| {
    let read = |profile: Profile| Some((profile, serde_saphyr::from_str(profile.text()?).ok()?));
    Profile::ALL.into_iter().filter_map(read).collect()
});

/// The properties that exist in some versions only.
static VARYING: LazyLock<BTreeSet<&'static str>> = LazyLock::new(|| {
    let absent = SHEETS.values().flat_map(|sheet| &sheet.absent);
    let varies = |path: &&String| SHEETS.values().any(|sheet| !sheet.absent.contains(*path));
    absent.filter(varies).map(String::as_str).collect()
});

impl Profile {
    /// All profiles, oldest first.
    pub const ALL: [Self; 6] = [
        Self::Legacy,
        Self::V1_36,
        Self::V1_37,
        Self::V1_38,
        Self::V1_39,
        Self::V1_40,
    ];
    /// The content of the profile's file; `None` for the legacy profile, which was not measured.
    #[must_use]
    pub fn text(self) -> Option<&'static str> {
        Some(match self {
            Self::Legacy => return None,
            Self::V1_36 => include_str!("../profiles/1.36.yaml"),
            Self::V1_37 => include_str!("../profiles/1.37.yaml"),
            Self::V1_38 => include_str!("../profiles/1.38.yaml"),
            Self::V1_39 => include_str!("../profiles/1.39.yaml"),
            Self::V1_40 => include_str!("../profiles/1.40.yaml"),
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::V1_36 => "1.36",
            Self::V1_37 => "1.37",
            Self::V1_38 => "1.38",
            Self::V1_39 => "1.39",
            Self::V1_40 => "1.40",
        }
    }

    fn names() -> String {
        Self::ALL.map(Self::name).join(", ")
    }

    fn sheet(self) -> Option<&'static Sheet> {
        SHEETS.get(&self.max(Self::V1_36))
    }

    /// The numbers of the release that was measured; `None` for the legacy profile, whose node does
    /// not name its version.
    pub(crate) fn release(self) -> Option<[u32; 3]> {
        let numbers = SHEETS.get(&self)?.release.split('.');
        let numbers: Vec<_> = numbers.filter_map(|number| number.parse().ok()).collect();
        numbers.try_into().ok()
    }

    /// Whether a module can import a function that the emulator has: all but those that only other
    /// versions have. `section`: the ABI version for a function of `env`, else the imported module.
    pub(crate) fn has_import(self, section: &str, function: &str) -> bool {
        let has = |sheet: &Sheet| {
            let sections = sheet.imports.get(function);
            sections.is_some_and(|sections| sections.iter().any(|other| other == section))
        };
        self.sheet().is_some_and(has) || !SHEETS.values().any(has)
    }

    /// Whether the attributes of the proxy are below `xds`.
    pub(crate) fn has_xds(self) -> bool {
        self != Self::Legacy
    }

    /// Whether tcp_proxy resets the server's connection after the client's was reset. Older versions
    /// end it (measured).
    pub(crate) fn forwards_resets_of_clients(self) -> bool {
        self >= Self::V1_40
    }

    /// Whether tcp_proxy resets the client's connection after the server's was reset, with the
    /// response flag `UR`. Older versions end it (measured).
    pub(crate) fn forwards_resets_of_servers(self) -> bool {
        self >= Self::V1_38
    }

    /// Whether a connection with TLS that is reset shows as such. Older versions read the end of the
    /// stream (measured).
    pub(crate) fn sees_resets_in_tls(self) -> bool {
        self >= Self::V1_39
    }

    /// Whether a foreign function is registered.
    pub(crate) fn has_function(self, name: &str) -> bool {
        let sheet = self.sheet();
        sheet.is_some_and(|sheet| sheet.foreign_functions.contains_key(name))
    }

    /// Whether filter state with this key has a registered factory.
    pub(crate) fn has_object(self, key: &str) -> bool {
        let sheet = self.sheet();
        sheet.is_some_and(|sheet| sheet.filter_state_objects.contains_key(key))
    }

    /// The fields of an attribute root that this version lacks and another one has.
    pub(crate) fn lacking(self, root: &str) -> impl Iterator<Item = &'static str> {
        let below = format!("{root}.");
        let fields = VARYING
            .iter()
            .filter_map(move |path| Some((*path, path.strip_prefix(&below)?)));
        let sheet = self.sheet();
        fields.filter_map(move |(path, field)| sheet?.absent.contains(path).then_some(field))
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Profile {
    type Err = UnknownProfile;

    fn from_str(text: &str) -> Result<Self, UnknownProfile> {
        let names = |profile: &Self| {
            let patch = text.strip_prefix(profile.name());
            patch.is_some_and(|patch| patch.is_empty() || patch.starts_with('.'))
        };
        let found = Self::ALL.into_iter().find(names);
        found.ok_or_else(|| UnknownProfile(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_file_is_read() {
        let read: Vec<_> = SHEETS.keys().copied().collect();
        assert_eq!(read, Profile::ALL[1..]);
    }

    #[test]
    fn versions_differ() {
        assert!(!Profile::V1_36.has_function("sign"));
        assert!(Profile::V1_37.has_function("sign"));
        assert!(!Profile::V1_39.has_object("envoy.bool"));
        assert!(Profile::V1_40.has_object("envoy.bool"));
        let lacking = |profile: Profile| profile.lacking("request").collect::<Vec<_>>();
        assert_eq!(lacking(Profile::V1_36), ["headers_bytes"]);
        assert!(lacking(Profile::V1_37).is_empty());
    }
}
