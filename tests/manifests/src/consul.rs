//! Renders the filter of Consul's extension `builtin/wasm` from its arguments.

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// Returns the filters that a ServiceDefaults adds, each with its listeners: `inbound` or
/// `outbound`.
///
/// # Errors
/// A required argument is missing, or an argument is unknown.
pub fn filters(manifest: &Manifest) -> Result<Vec<(String, Value)>> {
    let extensions = manifest.document.pointer("/spec/envoyExtensions");
    let extensions = extensions.and_then(Value::as_array).into_iter().flatten();
    extensions
        .map(|extension| filter(manifest, extension))
        .collect()
}

fn filter(manifest: &Manifest, extension: &Value) -> Result<(String, Value)> {
    let refuse = |reason: String| Error::render(manifest.to_string(), reason);
    let known: [(&str, &[&str]); 5] = [
        ("", &["name", "required", "arguments"]),
        (
            "/arguments",
            &["protocol", "listenerType", "proxyType", "pluginConfig"],
        ),
        (
            "/arguments/pluginConfig",
            &[
                "name",
                "rootID",
                "vmConfig",
                "configuration",
                "capabilityRestrictionConfiguration",
            ],
        ),
        (
            "/arguments/pluginConfig/vmConfig",
            &[
                "vmID",
                "runtime",
                "code",
                "configuration",
                "environmentVariables",
            ],
        ),
        ("/arguments/pluginConfig/vmConfig/code", &["local"]),
    ];
    for (place, known) in known {
        let fields = extension.pointer(place).and_then(Value::as_object);
        let mut names = fields.into_iter().flat_map(Map::keys);
        if let Some(unknown) = names.find(|name| !known.contains(&name.as_str())) {
            return Err(refuse(format!("{place}/{unknown} is not supported")));
        }
    }
    let text = |place: &str| extension.pointer(place).and_then(Value::as_str);
    let need = |place: &str| text(place).ok_or_else(|| refuse(format!("{place} is missing")));
    if (need("/name")?, need("/arguments/protocol")?) != ("builtin/wasm", "tcp") {
        return Err(refuse("only builtin/wasm for TCP is supported".into()));
    }
    let plugin = "/arguments/pluginConfig";
    let required = extension.get("required") == Some(&Value::Bool(true));
    let filter = json!({
        "name": "envoy.filters.network.wasm",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": {
                "name": need(&format!("{plugin}/name"))?,
                "root_id": need(&format!("{plugin}/rootID"))?,
                "vm_config": {
                    "vm_id": text(&format!("{plugin}/vmConfig/vmID")).unwrap_or_default(),
                    "runtime": format!("envoy.wasm.runtime.{}", text(&format!("{plugin}/vmConfig/runtime")).unwrap_or("v8")),
                    "code": { "local": { "filename": need(&format!("{plugin}/vmConfig/code/local/filename"))? } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": text(&format!("{plugin}/configuration")).unwrap_or_default(),
                },
                // Consul sets the deprecated field, which `failure_policy` replaces.
                "fail_open": !required,
            },
        },
    });
    Ok((need("/arguments/listenerType")?.to_owned(), filter))
}
