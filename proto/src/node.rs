use crate::metadata::{key, label};
use crate::{Frame, Metadata, Struct, Value};

/// The part of its metadata that a node sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Istio 1.7: the keys that node metadata lists in `EXCHANGE_KEYS`.
    Istio17,
    /// Istio 1.24 and later: a fixed, reduced set.
    Modern,
}

/// The location of a node: `node.locality` of its Envoy. Unknown parts are empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Locality<'a> {
    /// The region.
    pub region: &'a str,
    /// The zone within the region.
    pub zone: &'a str,
}

/// The sender: the `node` of an Envoy's bootstrap.
#[derive(Clone, Copy, Debug)]
pub struct Node<'a> {
    /// `node.id`.
    pub id: &'a str,
    /// `node.metadata`.
    pub metadata: &'a Struct,
    /// `node.locality`.
    pub locality: Locality<'a>,
}

impl Style {
    /// The style of a node: that of Istio 1.7 if its metadata lists the keys to send.
    pub fn of(metadata: &Struct) -> Self {
        match metadata.fields.contains_key(key::EXCHANGE_KEYS) {
            true => Self::Istio17,
            false => Self::Modern,
        }
    }
}

impl Node<'_> {
    /// Creates the frame of this node. `additional_labels`: the names of pod labels that the modern
    /// style sends besides its own.
    pub fn frame(&self, style: Style, additional_labels: &[String]) -> Frame {
        let metadata = match style {
            Style::Istio17 => self.listed(),
            Style::Modern => self.reduced(additional_labels),
        };
        Frame::new(metadata, self.id)
    }

    /// The members whose keys are listed in `EXCHANGE_KEYS`. The keys are not trimmed: a key after
    /// `, ` starts with a space and matches no member.
    fn listed(&self) -> Struct {
        let keys = self.metadata.string(key::EXCHANGE_KEYS).split(',');
        keys.filter(|key| !key.trim_ascii().is_empty())
            .filter_map(|key| Some((key, self.metadata.fields.get(key)?.clone())))
            .collect()
    }

    fn reduced(&self, additional_labels: &[String]) -> Struct {
        let node = Metadata::from(self.metadata);
        let mut labels = non_empty([
            (label::CANONICAL_NAME, node.canonical_name()),
            (label::CANONICAL_REVISION, node.canonical_revision()),
            (label::APP, node.app()),
            (label::VERSION, node.version()),
        ]);
        for name in additional_labels
            .iter()
            .filter(|name| !is_standard_label(name))
        {
            let known = node.labels.iter().find(|(known, _)| known == name);
            if let Some((name, value)) = known {
                labels.insert(name, value.as_str());
            }
        }

        let mut reduced = non_empty([
            (key::NAME, node.name.as_str()),
            (key::NAMESPACE, &node.namespace),
            (key::WORKLOAD_NAME, &node.workload_name),
            (key::CLUSTER_ID, &node.cluster_id),
            (key::IDENTITY, &node.identity),
            (key::OWNER, &owner(&node)),
            (key::REGION, first_of(&node.region, self.locality.region)),
            (
                key::AVAILABILITY_ZONE,
                first_of(&node.availability_zone, self.locality.zone),
            ),
        ]);
        reduced.insert(key::LABELS, labels);
        reduced
    }
}

/// The owner as modern senders rebuild it; `""` if they do not support its kind.
fn owner(node: &Metadata) -> String {
    let Metadata {
        namespace,
        workload_name,
        ..
    } = node;
    match node.workload_type() {
        "" => String::new(),
        kind => {
            format!("kubernetes://apis/apps/v1/namespaces/{namespace}/{kind}s/{workload_name}")
        }
    }
}

fn is_standard_label(name: &str) -> bool {
    [
        label::APP,
        label::APP_QUALIFIED,
        label::CANONICAL_NAME,
        label::CANONICAL_REVISION,
        label::VERSION,
        label::VERSION_QUALIFIED,
    ]
    .contains(&name)
}

fn first_of<'a>(value: &'a str, fallback: &'a str) -> &'a str {
    if value.is_empty() { fallback } else { value }
}

fn non_empty<const N: usize>(members: [(&str, &str); N]) -> Struct {
    members
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key, Value::from(value)))
        .collect()
}

#[cfg(test)]
mod tests;
