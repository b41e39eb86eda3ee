//! The VMs of Wasm filters in a configuration.

use serde_json::{Value, json};

/// Adds a VM that lives as long as Envoy, with the module of the first Wasm filter: as long as one VM
/// has a module, V8 does not compile it for another one.
pub(super) fn keep_module(bootstrap: &mut Value, listeners: &[Value]) {
    let mut code = None;
    for listener in listeners {
        each_vm(&mut listener.clone(), &mut |vm| {
            if code.is_none() {
                code = vm.get("code").cloned();
            }
        });
    }
    if let (Some(code), Some(bootstrap)) = (code, bootstrap.as_object_mut()) {
        let keeper = json!([{
            "name": "envoy.bootstrap.wasm",
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.wasm.v3.WasmService",
                "singleton": true,
                "config": {
                    "name": "keeper",
                    "vm_config": {
                        "vm_id": "keeper",
                        "runtime": "envoy.wasm.runtime.v8",
                        "code": code,
                    },
                },
            },
        }]);
        bootstrap.insert("bootstrap_extensions".into(), keeper);
    }
}

/// Gives the VMs of a resource ids that no other version has.
pub(super) fn rename_vms(resource: &mut Value, version: u32) {
    each_vm(resource, &mut |vm| {
        let id = vm.get("vm_id").and_then(Value::as_str).unwrap_or_default();
        let id = format!("{id}-{version}");
        if let Some(vm) = vm.as_object_mut() {
            vm.insert("vm_id".into(), id.into());
        }
    });
}

/// Calls `change` with every `vm_config`, at any depth.
fn each_vm(value: &mut Value, change: &mut dyn FnMut(&mut Value)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match name.as_str() {
                    "vm_config" => change(member),
                    _ => each_vm(member, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_vm(item, change)),
        _ => {}
    }
}
