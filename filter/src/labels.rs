//! Istio's 23 labels, encoded into the name of a stat.
//!
//! A stat of a proxy-wasm filter has a name and nothing else, so the labels travel inside it:
//! `reporter=.=source;.;source_workload=.=ratings-v2;.;…istio_tcp_sent_bytes_total`. The
//! bootstrap's `stats_tags` take them out again with one expression a label,
//! `(L=\.=(.*?);\.;)`. Values are therefore cleaned of all that could read as a separator.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::response_flags::ResponseFlags;

/// What stands for a value that nobody knows. Prometheus reads an empty label as an absent one,
/// and Kiali drops a series that lacks one, so no value is ever empty.
pub(crate) const UNKNOWN: &str = "unknown";

/// What stands for a canonical revision that nobody knows.
pub(crate) const LATEST: &str = "latest";

/// The longest label value, in bytes; the rest is cut off. Kubernetes names have 253 at most,
/// a SPIFFE id of Istio's form about 350.
pub(crate) const MAX_VALUE_LEN: usize = 512;

/// Between a label and its value.
const VALUE_SEPARATOR: &str = "=.=";

/// Behind each label.
const FIELD_SEPARATOR: &str = ";.;";

/// Which end of the connection reports.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Reporter {
    /// The client's sidecar.
    Source,
    /// The server's sidecar.
    Destination,
}

impl Reporter {
    /// The label's value.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Destination => "destination",
        }
    }
}

/// One end of a connection, as far as it is known; an empty text is an unknown value.
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

/// The service that the client asked for; an empty text is an unknown value.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Service {
    /// `destination_service`: the host, like `mongodb.default.svc.cluster.local`.
    pub(crate) host: String,
    /// `destination_service_name`
    pub(crate) name: String,
    /// `destination_service_namespace`
    pub(crate) namespace: String,
}

/// `connection_security_policy`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum SecurityPolicy {
    /// The source's sidecar never says (Istio's rule).
    Unknown,
    /// Both ends proved who they are.
    MutualTls,
    /// They did not.
    None,
}

/// All that the labels of one connection are made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Labels<'a> {
    /// Who reports.
    pub(crate) reporter: Reporter,
    /// The client.
    pub(crate) source: &'a Workload,
    /// The server.
    pub(crate) destination: &'a Workload,
    /// What was asked for.
    pub(crate) service: &'a Service,
    /// What went wrong, if anything.
    pub(crate) response_flags: ResponseFlags,
    /// How the connection is secured.
    pub(crate) security_policy: SecurityPolicy,
}

impl Labels<'_> {
    /// The head of the connection's stat names: everything in front of the metric's own name.
    pub(crate) fn encode(&self) -> String {
        let mut head = String::with_capacity(1024);
        push(&mut head, "reporter", self.reporter.name(), UNKNOWN);
        push_workload(&mut head, "source", self.source);
        push_workload(&mut head, "destination", self.destination);
        push(
            &mut head,
            "destination_service",
            &self.service.host,
            UNKNOWN,
        );
        push(
            &mut head,
            "destination_service_name",
            &self.service.name,
            UNKNOWN,
        );
        push(
            &mut head,
            "destination_service_namespace",
            &self.service.namespace,
            UNKNOWN,
        );
        push(&mut head, "request_protocol", "tcp", UNKNOWN);
        push(
            &mut head,
            "response_flags",
            &self.response_flags.to_string(),
            UNKNOWN,
        );
        let policy = match self.security_policy {
            SecurityPolicy::Unknown => UNKNOWN,
            SecurityPolicy::MutualTls => "mutual_tls",
            SecurityPolicy::None => "none",
        };
        push(&mut head, "connection_security_policy", policy, UNKNOWN);
        head
    }
}

fn push_workload(head: &mut String, side: &str, of: &Workload) {
    for (label, value, default) in [
        ("workload", &of.workload, UNKNOWN),
        ("canonical_service", &of.canonical_service, UNKNOWN),
        ("canonical_revision", &of.canonical_revision, LATEST),
        ("workload_namespace", &of.namespace, UNKNOWN),
        ("principal", &of.principal, UNKNOWN),
        ("app", &of.app, UNKNOWN),
        ("version", &of.version, UNKNOWN),
        ("cluster", &of.cluster, UNKNOWN),
    ] {
        head.push_str(side);
        head.push('_');
        push(head, label, value, default);
    }
}

/// Appends one encoded label.
pub(crate) fn push(head: &mut String, label: &str, value: &str, default: &str) {
    let value = if value.is_empty() { default } else { value };
    // Writing to a String cannot fail.
    let _ = write!(
        head,
        "{label}{VALUE_SEPARATOR}{}{FIELD_SEPARATOR}",
        clean(value)
    );
}

/// A value that cannot be mistaken for anything but a value.
///
/// The separators are told from text by `;` and `=`, so neither survives, nor do control
/// characters. What is longer than [`MAX_VALUE_LEN`] is cut between characters.
fn clean(value: &str) -> Cow<'_, str> {
    let unfit = |c: char| c == ';' || c == '=' || c.is_control();
    let value = match value
        .char_indices()
        .find(|(at, c)| at + c.len_utf8() > MAX_VALUE_LEN)
    {
        Some((end, _)) => value.get(..end).unwrap_or_default(),
        None => value,
    };
    if value.contains(unfit) {
        Cow::Owned(value.replace(unfit, "_"))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests;
