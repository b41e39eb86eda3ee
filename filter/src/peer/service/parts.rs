//! The parts of a service's host name.

/// The parts of a service's host name; an unknown one is empty.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ServiceParts<'a> {
    pub(super) name: &'a str,
    pub(super) namespace: &'a str,
    /// The data centre, in Consul.
    pub(super) cluster: &'a str,
}
