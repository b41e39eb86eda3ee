//! The environment and the arguments of a container.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::fields::Fields;
use super::quantity;
use super::spec::{Container, ResourceFieldRef, Variable};
use crate::error::Result;

/// The variables of a container by name.
pub(super) type Environment = BTreeMap<String, String>;

/// `$(NAME)`, and `$$`, which stands for one dollar.
static REFERENCE: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)").ok());

/// The capacity of the node, which limits containers without limits of their own.
#[derive(Clone, Debug)]
pub(super) struct Capacity {
    pub(super) cpu: String,
    pub(super) memory: String,
}

/// Computes the variables of a container, in addition to those in `base`.
pub(super) fn environment(
    container: &Container,
    fields: &Fields<'_>,
    capacity: &Capacity,
    base: Environment,
) -> Result<Environment> {
    let mut environment = base;
    for variable in &container.env {
        let value = value(variable, container, fields, capacity, &environment)?;
        environment.insert(variable.name.clone(), value);
    }
    Ok(environment)
}

/// Replaces `$(NAME)` by the value of the variable. A reference to no variable stays.
pub(super) fn expand(text: &str, environment: &Environment) -> String {
    let Some(reference) = &*REFERENCE else {
        return text.to_owned();
    };
    let replaced = reference.replace_all(text, |found: &Captures<'_>| {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        match found.get(1) {
            None => "$".to_owned(),
            Some(name) => {
                let value = environment.get(name.as_str()).map(String::as_str);
                value.unwrap_or(whole).to_owned()
            }
        }
    });
    replaced.into_owned()
}

fn value(
    variable: &Variable,
    container: &Container,
    fields: &Fields<'_>,
    capacity: &Capacity,
    environment: &Environment,
) -> Result<String> {
    let Some(source) = &variable.value_from else {
        let literal = variable.value.as_deref().unwrap_or_default();
        return Ok(expand(literal, environment));
    };
    if let Some(field) = &source.field_ref {
        return fields.value(field);
    }
    let resource = source.resource_field_ref.as_ref();
    resource
        .and_then(|resource| self::resource(resource, container, capacity))
        .ok_or_else(|| {
            let name = &variable.name;
            fields
                .pod
                .error(format!("the source of variable {name} is not supported"))
        })
}

fn resource(
    wanted: &ResourceFieldRef,
    container: &Container,
    capacity: &Capacity,
) -> Option<String> {
    let (kind, name) = wanted.resource.split_once('.')?;
    let own = match kind {
        "limits" => &container.resources.limits,
        "requests" => &container.resources.requests,
        _ => return None,
    };
    let quantity = own.get(name).map(String::as_str).or(match (kind, name) {
        ("limits", "cpu") => Some(capacity.cpu.as_str()),
        ("limits", "memory") => Some(&capacity.memory),
        _ => None,
    });
    let value = quantity::divided(quantity?, wanted.divisor.as_deref())?;
    Some(value.to_string())
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use serde_json::json;

    use super::super::spec::PodSpec;
    use super::*;

    #[test]
    fn values_references_fields_and_resources_are_resolved_in_order() {
        let pod: PodSpec = serde_json::from_value(json!({
            "metadata": { "name": "db-1", "namespace": "shop" },
            "spec": { "containers": [{
                "name": "istio-proxy",
                "image": "proxyv2",
                "resources": { "limits": { "cpu": "1500m" } },
                "env": [
                    { "name": "A", "value": "a" },
                    { "name": "B", "value": "$(A)-$(MISSING)-$$(A)" },
                    { "name": "NAME", "valueFrom": { "fieldRef": { "fieldPath": "metadata.name" } } },
                    { "name": "CPUS", "valueFrom": { "resourceFieldRef": { "resource": "limits.cpu", "divisor": "0" } } },
                    { "name": "MEMORY", "valueFrom": { "resourceFieldRef": { "resource": "limits.memory" } } },
                ],
            }] },
        }))
        .unwrap();
        let fields = Fields {
            pod: &pod,
            address: Ipv4Addr::LOCALHOST,
            node: "node-1",
        };
        let capacity = Capacity {
            cpu: "8".into(),
            memory: "1Gi".into(),
        };
        let base = Environment::from([("HOME".to_owned(), "/".to_owned())]);
        let container = pod.container("istio-proxy").unwrap();
        let environment = environment(container, &fields, &capacity, base).unwrap();
        let expected = [
            ("A", "a"),
            ("B", "a-$(MISSING)-$(A)"),
            ("CPUS", "2"),
            ("HOME", "/"),
            ("MEMORY", "1073741824"),
            ("NAME", "db-1"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(environment, Environment::from(expected));
        assert_eq!(expand("--name=$(NAME)", &environment), "--name=db-1");
    }
}
