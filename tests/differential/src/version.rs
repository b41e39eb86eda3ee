//! The version of an Envoy, and what it lacks.

use host_harness::Profile;
use mesh::EnvoyBinary;

/// The profile of an Envoy; that of the newest for one without a profile.
pub(crate) fn profile(binary: &EnvoyBinary) -> Profile {
    binary.version.parse().unwrap_or_default()
}

/// Whether tcp_proxy has `upstream_connect_mode`.
pub(crate) fn has_connect_modes(profile: Profile) -> bool {
    profile > Profile::V1_36
}
