//! The overlays in `envoy-config/istio/overlays`, also for other ports.

use serde_json::{Value, json};

use crate::cluster::Kubectl;
use crate::error::{Error, Result};

/// The folder of the module, as in `workload/exchange.yaml`.
pub const MODULES: &str = "/var/lib/tcp-peer-stats";

/// The port in the overlays.
const PORT: u64 = 27017;

/// A port of a Service and the port of its pods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    /// The port of the Service, which clients use.
    pub service: u16,
    /// The port at which the application listens.
    pub target: u16,
}

impl Port {
    /// A Service with the port of its pods.
    #[must_use]
    pub fn same(port: u16) -> Self {
        Self {
            service: port,
            target: port,
        }
    }
}

/// The path of an overlay, relative to the repository.
#[must_use]
pub fn path(overlay: &str) -> String {
    format!("envoy-config/istio/overlays/{overlay}")
}

/// Renders an overlay for these ports, as its README says: one patch per port.
///
/// # Errors
/// kubectl cannot render it, or it has no patch for a port.
pub fn for_ports(kubectl: &Kubectl, overlay: &str, ports: &[Port]) -> Result<Vec<Value>> {
    let text = kubectl.run(&["kustomize", &path(overlay)])?;
    let mut objects: Vec<Value> = serde_saphyr::from_multiple(&text)
        .map_err(|error| mesh::Error::malformed(path(overlay), error))?;
    for object in &mut objects {
        set_ports(object, ports)
            .ok_or_else(|| Error::object(path(overlay), "it has no patch for a port"))?;
    }
    Ok(objects)
}

/// Replaces the module of the filters in EnvoyFilters by another file of its folder, and adds limits
/// to their configuration.
///
/// # Errors
/// There is no filter, or its configuration is not JSON.
pub fn set_module(objects: &mut [Value], file: &str, limits: &Value) -> Result<()> {
    let mut changed = 0;
    for patch in patches(objects) {
        let Some(filter) = patch.pointer_mut("/patch/value/typed_config/config") else {
            continue;
        };
        if let Some(path) = filter.pointer_mut("/vm_config/code/local/filename") {
            *path = json!(format!("{MODULES}/{file}"));
            changed += 1;
        }
        let Some(Value::String(text)) = filter.pointer_mut("/configuration/value") else {
            continue;
        };
        let mut configuration: Value = serde_json::from_str(text)
            .map_err(|error| mesh::Error::malformed("the filter's configuration", error))?;
        if let Some(all) = configuration.as_object_mut() {
            all.insert("limits".to_owned(), limits.clone());
        }
        *text = configuration.to_string();
    }
    some(changed)
}

fn patches(objects: &mut [Value]) -> impl Iterator<Item = &mut Value> {
    objects
        .iter_mut()
        .filter_map(|object| object.pointer_mut("/spec/configPatches")?.as_array_mut())
        .flatten()
}

fn some(changed: usize) -> Result<()> {
    match changed {
        0 => Err(Error::object("the overlay", "it has no filter")),
        _ => Ok(()),
    }
}

/// Replaces the filter in EnvoyFilters by a native one that only keeps its configuration, so that
/// listeners change as they do with the filter.
///
/// # Errors
/// There is no filter.
pub fn set_native(objects: &mut [Value]) -> Result<()> {
    let mut changed = 0;
    for patch in patches(objects) {
        let Some(filter) = patch.pointer_mut("/patch/value/typed_config") else {
            continue;
        };
        let Some(text) = filter.pointer("/config/configuration/value").cloned() else {
            continue;
        };
        *filter = json!({
            "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
            "on_new_connection": [{
                "object_key": "tcp_peer_stats.configuration",
                "factory_key": "envoy.string",
                "format_string": { "text_format_source": { "inline_string": text } },
            }],
        });
        changed += 1;
    }
    some(changed)
}

/// A List of objects, for `kubectl apply`.
#[must_use]
pub fn list(objects: &[Value]) -> String {
    json!({ "apiVersion": "v1", "kind": "List", "items": objects }).to_string()
}

/// Replaces the port of an object by these ports.
fn set_ports(object: &mut Value, ports: &[Port]) -> Option<()> {
    let spec = object.get_mut("spec")?;
    if let Some(patches) = spec.get_mut("configPatches") {
        let mut all = Vec::new();
        for patch in patches.as_array()? {
            all.extend(copies(patch, ports));
        }
        *patches = Value::Array(all);
        return Some(());
    }
    if let Some(matches) = spec.get_mut("match") {
        // A plugin names the port of the Service on both sides.
        let ports: Vec<_> = ports
            .iter()
            .map(|port| json!({ "number": port.service }))
            .collect();
        for one in matches.as_array_mut()? {
            *one.get_mut("ports")? = Value::Array(ports.clone());
        }
    }
    Some(())
}

/// The patch for each port. The inspector's patch is one for all ports.
fn copies(patch: &Value, ports: &[Port]) -> Vec<Value> {
    let mut patch = patch.clone();
    let disabled = patch.pointer_mut("/patch/value/filter_disabled/not_match");
    if let Some(disabled) = disabled {
        let rules = ports.iter().map(|port| {
            let range = json!({ "start": port.target, "end": u32::from(port.target) + 1 });
            json!({ "destination_port_range": range })
        });
        let mut rules: Vec<_> = rules.collect();
        *disabled = match rules.len() {
            1 => rules.remove(0),
            _ => json!({ "or_match": { "rules": rules } }),
        };
        return vec![patch];
    }
    let places = [
        ("/match/listener/portNumber", true),
        ("/match/listener/filterChain/destinationPort", false),
    ];
    let of_port = |port: &Port| {
        let mut copy = patch.clone();
        for (place, is_service) in places {
            if let Some(number) = copy.pointer_mut(place).filter(|number| **number == PORT) {
                *number = json!(if is_service {
                    port.service
                } else {
                    port.target
                });
            }
        }
        copy
    };
    ports.iter().map(of_port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PORTS: [Port; 2] = [
        Port {
            service: 3306,
            target: 13306,
        },
        Port {
            service: 27017,
            target: 27017,
        },
    ];

    #[test]
    fn clients_have_the_services_port_and_servers_the_targets() {
        let client = json!({ "match": { "listener": { "portNumber": 27017 } } });
        let server =
            json!({ "match": { "listener": { "filterChain": { "destinationPort": 27017 } } } });
        let mut object = json!({ "spec": { "configPatches": [client, server] } });
        set_ports(&mut object, &PORTS).unwrap();
        let patches = object.pointer("/spec/configPatches").unwrap();
        let at = |index: usize, place: &str| patches.get(index).unwrap().pointer(place).cloned();
        assert_eq!(at(0, "/match/listener/portNumber"), Some(json!(3306)));
        assert_eq!(at(1, "/match/listener/portNumber"), Some(json!(27017)));
        let place = "/match/listener/filterChain/destinationPort";
        assert_eq!(
            (at(2, place), at(3, place)),
            (Some(json!(13306)), Some(json!(27017)))
        );
    }

    #[test]
    fn all_filters_get_the_module_and_the_limits() {
        let filter = json!({
            "vm_config": { "code": { "local": { "filename": "/a/b.wasm" } } },
            "configuration": { "value": r#"{"a":1}"# },
        });
        let patch = json!({ "patch": { "value": { "typed_config": { "config": filter } } } });
        let other = json!({ "patch": { "operation": "MERGE" } });
        let mut objects = [json!({ "spec": { "configPatches": [other, patch] } })];
        let limits = json!({ "max_series": 2 });
        set_module(&mut objects, "c.wasm", &limits).unwrap();
        let filter = objects[0]
            .pointer("/spec/configPatches/1/patch/value/typed_config/config")
            .unwrap();
        let file = filter.pointer("/vm_config/code/local/filename");
        assert_eq!(file, Some(&json!("/var/lib/tcp-peer-stats/c.wasm")));
        let configuration = filter.pointer("/configuration/value");
        let expected = r#"{"a":1,"limits":{"max_series":2}}"#;
        assert_eq!(configuration, Some(&json!(expected)));
        let mut none = [json!({ "spec": { "configPatches": [{ "patch": {} }] } })];
        assert!(set_module(&mut none, "c.wasm", &limits).is_err());
    }

    #[test]
    fn a_native_filter_keeps_the_configuration() {
        let filter = json!({ "config": { "configuration": { "value": "{}" } } });
        let value = json!({ "name": "tcp_peer_stats", "typed_config": filter });
        let other = json!({ "patch": { "value": { "name": "other", "typed_config": {} } } });
        let patch = json!({ "patch": { "value": value } });
        let mut objects = [json!({ "spec": { "configPatches": [other, patch] } })];
        set_native(&mut objects).unwrap();
        let patches = objects[0].pointer("/spec/configPatches").unwrap();
        assert_eq!(patches.get(0), Some(&other));
        let value = patches.pointer("/1/patch/value").unwrap();
        assert_eq!(value.get("name"), Some(&json!("tcp_peer_stats")));
        assert_eq!(value.pointer("/typed_config/config"), None);
        let kept =
            "/typed_config/on_new_connection/0/format_string/text_format_source/inline_string";
        assert_eq!(value.pointer(kept), Some(&json!("{}")));
        assert!(set_native(&mut objects).is_err());
    }

    #[test]
    fn the_inspector_has_one_patch_for_all_ports() {
        let disabled =
            json!({ "not_match": { "destination_port_range": { "start": 27017, "end": 27018 } } });
        let patch = json!({ "patch": { "value": { "filter_disabled": disabled } } });
        let place = "/patch/value/filter_disabled/not_match";
        let [one] = copies(&patch, &PORTS[..1]).try_into().unwrap();
        let range = json!({ "destination_port_range": { "start": 13306, "end": 13307 } });
        assert_eq!(Value::pointer(&one, place), Some(&range));
        let [both] = copies(&patch, &PORTS).try_into().unwrap();
        let rules = Value::pointer(&both, place)
            .unwrap()
            .pointer("/or_match/rules")
            .unwrap();
        assert_eq!(rules.as_array().unwrap().len(), 2);
        assert_eq!(rules.get(0), Some(&range));
    }

    #[test]
    fn a_plugin_has_the_services_ports() {
        let mut plugin = json!({ "spec": { "match": [{ "ports": [{ "number": 27017 }] }] } });
        set_ports(&mut plugin, &PORTS).unwrap();
        let ports = plugin.pointer("/spec/match/0/ports").unwrap();
        assert_eq!(*ports, json!([{ "number": 3306 }, { "number": 27017 }]));
    }
}
