//! The fields of a Pod that variables and downward-API volumes name.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use super::spec::{FieldRef, PodSpec};
use crate::cluster::GATEWAY;
use crate::error::Result;

/// A pod and the address that it gets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    pub(super) pod: &'a PodSpec,
    pub(super) address: Ipv4Addr,
    pub(super) node: &'a str,
}

impl Fields<'_> {
    /// The value of a field as a variable has it.
    pub(super) fn value(&self, field: &FieldRef) -> Result<String> {
        let path = field.field_path.as_str();
        let metadata = &self.pod.metadata;
        Ok(match path {
            "metadata.name" => metadata.name.clone(),
            "metadata.namespace" => metadata.namespace.clone(),
            "metadata.uid" => metadata.uid.clone(),
            "spec.serviceAccountName" => self.pod.spec.service_account_name.clone(),
            "spec.nodeName" => self.node.to_owned(),
            "status.podIP" | "status.podIPs" => self.address.to_string(),
            "status.hostIP" | "status.hostIPs" => GATEWAY.to_string(),
            _ => {
                let one = |prefix: &str, of: &BTreeMap<String, String>| {
                    let key = path.strip_prefix(prefix)?.strip_suffix("']")?;
                    Some(of.get(key).cloned().unwrap_or_default())
                };
                one("metadata.labels['", &metadata.labels)
                    .or_else(|| one("metadata.annotations['", &metadata.annotations))
                    .ok_or_else(|| self.pod.error(format!("the field {path} is not supported")))?
            }
        })
    }

    /// The value of a field as a file of a downward-API volume has it.
    pub(super) fn file(&self, field: &FieldRef) -> Result<String> {
        let metadata = &self.pod.metadata;
        match field.field_path.as_str() {
            "metadata.labels" => Ok(lines(&metadata.labels)),
            "metadata.annotations" => Ok(lines(&metadata.annotations)),
            _ => self.value(field),
        }
    }
}

/// A line `key="value"` per entry, sorted, with the value quoted as Go quotes it.
fn lines(map: &BTreeMap<String, String>) -> String {
    let lines = map.iter().map(|(key, value)| {
        let mut quoted = String::new();
        for char in value.chars() {
            match char {
                '"' | '\\' => quoted.extend(['\\', char]),
                '\n' => quoted.push_str("\\n"),
                '\r' => quoted.push_str("\\r"),
                '\t' => quoted.push_str("\\t"),
                char => quoted.push(char),
            }
        }
        format!("{key}=\"{quoted}\"\n")
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn field(path: &str) -> FieldRef {
        FieldRef {
            field_path: path.to_owned(),
        }
    }

    #[test]
    fn fields_come_from_the_pod_its_node_and_its_address() {
        let pod: PodSpec = serde_json::from_value(json!({
            "metadata": {
                "name": "db-1", "namespace": "shop", "uid": "u",
                "labels": { "b": "2", "a": "1" },
                "annotations": { "note": "say \"hi\"\n" },
            },
            "spec": { "serviceAccountName": "db", "containers": [] },
        }))
        .unwrap();
        let fields = Fields {
            pod: &pod,
            address: Ipv4Addr::new(10, 244, 0, 12),
            node: "node-1",
        };
        for (path, value) in [
            ("metadata.name", "db-1"),
            ("metadata.namespace", "shop"),
            ("metadata.labels['a']", "1"),
            ("metadata.labels['absent']", ""),
            ("spec.serviceAccountName", "db"),
            ("spec.nodeName", "node-1"),
            ("status.podIP", "10.244.0.12"),
            ("status.hostIP", "10.244.0.1"),
        ] {
            assert_eq!(fields.value(&field(path)).unwrap(), value, "{path}");
        }
        assert!(fields.value(&field("status.phase")).is_err());
        let labels = fields.file(&field("metadata.labels")).unwrap();
        assert_eq!(labels, "a=\"1\"\nb=\"2\"\n");
        let annotations = fields.file(&field("metadata.annotations")).unwrap();
        assert_eq!(annotations, "note=\"say \\\"hi\\\"\\n\"\n");
    }
}
