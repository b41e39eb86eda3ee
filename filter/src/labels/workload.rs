//! One end of a connection, as its labels show it.

/// The labels of one end of a connection; an empty text is an unknown value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Workload {
    /// `*_workload`
    pub(crate) workload: String,
    /// `*_canonical_service`
    pub(crate) canonical_service: String,
    /// `*_canonical_revision`
    pub(crate) canonical_revision: String,
    /// `*_workload_namespace`
    pub(crate) namespace: String,
    /// `*_principal`
    pub(crate) principal: String,
    /// `*_app`
    pub(crate) app: String,
    /// `*_version`
    pub(crate) version: String,
    /// `*_cluster`
    pub(crate) cluster: String,
}

/// A field of [`Workload`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WorkloadField {
    Workload,
    CanonicalService,
    CanonicalRevision,
    Namespace,
    Principal,
    App,
    Version,
    Cluster,
}

impl Workload {
    pub(super) fn get(&self, field: WorkloadField) -> &str {
        match field {
            WorkloadField::Workload => &self.workload,
            WorkloadField::CanonicalService => &self.canonical_service,
            WorkloadField::CanonicalRevision => &self.canonical_revision,
            WorkloadField::Namespace => &self.namespace,
            WorkloadField::Principal => &self.principal,
            WorkloadField::App => &self.app,
            WorkloadField::Version => &self.version,
            WorkloadField::Cluster => &self.cluster,
        }
    }

    /// Takes the values from `other` that are unknown here.
    pub(crate) fn fill_from(&mut self, other: Self) {
        for (value, other) in [
            (&mut self.workload, other.workload),
            (&mut self.canonical_service, other.canonical_service),
            (&mut self.canonical_revision, other.canonical_revision),
            (&mut self.namespace, other.namespace),
            (&mut self.principal, other.principal),
            (&mut self.app, other.app),
            (&mut self.version, other.version),
            (&mut self.cluster, other.cluster),
        ] {
            if value.is_empty() {
                *value = other;
            }
        }
    }
}
