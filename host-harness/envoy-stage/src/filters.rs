//! The network filters of a scenario in Envoy's configuration.

use std::collections::BTreeMap;
use std::path::Path;

use host_harness::scenario::{Policy, WasmFilter};
use host_harness::{EnvoyFilter, Rbac, RbacAction};
use serde_json::{Value, json};

/// The prefix of the type URLs of Envoy's extensions.
pub(crate) const TYPES: &str = "type.googleapis.com/envoy.extensions";

/// The filter state object whose type is that of its own factory.
const CLUSTER_KEY: &str = "envoy.tcp_proxy.cluster";

/// A network filter of this name below `envoy.filters.network`, with a configuration of this type
/// below the package of network filters, such as `tcp_proxy.v3.TcpProxy`.
#[must_use]
pub fn filter(name: &str, of_type: &str, mut config: Value) -> Value {
    put(
        &mut config,
        "@type",
        json!(format!("{TYPES}.filters.network.{of_type}")),
    );
    json!({ "name": format!("envoy.filters.network.{name}"), "typed_config": config })
}

/// A wasm filter with this configuration, and its own module or the one under test.
#[must_use]
pub fn wasm(spec: &WasmFilter, under_test: &Path, configuration: &[u8]) -> Value {
    let file = spec.module.as_deref().unwrap_or(under_test);
    let policy = match spec.failure_policy {
        Policy::FailClosed => "FAIL_CLOSED",
        Policy::FailOpen => "FAIL_OPEN",
        Policy::FailReload => "FAIL_RELOAD",
    };
    let mut vm = json!({
        "vm_id": spec.vm_id,
        "runtime": "envoy.wasm.runtime.v8",
        "code": { "local": { "filename": file } },
    });
    if !spec.vm_configuration.is_empty() {
        put(&mut vm, "configuration", text(&spec.vm_configuration));
    }
    let mut config = json!({
        "name": spec.name,
        "root_id": spec.root_id,
        "failure_policy": policy,
        "vm_config": vm,
    });
    if spec.failure_policy == Policy::FailReload {
        let interval = format!("{}s", spec.reload_backoff.as_secs_f64());
        let backoff = json!({ "backoff": { "base_interval": interval } });
        put(&mut config, "reload_config", backoff);
    }
    if !configuration.is_empty() {
        let configuration = text(&String::from_utf8_lossy(configuration));
        put(&mut config, "configuration", configuration);
    }
    filter("wasm", "wasm.v3.Wasm", json!({ "config": config }))
}

/// One of Envoy's own filters; `None` if it is not known here.
pub(crate) fn own(spec: &EnvoyFilter) -> Option<Value> {
    Some(match spec {
        EnvoyFilter::Rbac(spec) => rbac(spec),
        EnvoyFilter::SniCluster {} => filter("sni_cluster", "sni_cluster.v3.SniCluster", json!({})),
        EnvoyFilter::SetFilterState(objects) => set_filter_state(objects),
        EnvoyFilter::ConnectionLimit { max_connections } => filter(
            "connection_limit",
            "connection_limit.v3.ConnectionLimit",
            json!({ "stat_prefix": "limit", "max_connections": max_connections }),
        ),
        _ => return None,
    })
}

fn rbac(spec: &Rbac) -> Value {
    let any = || vec![json!({ "any": true })];
    let exact = |text: &String| json!({ "exact": text });
    let principal = |san| json!({ "authenticated": { "principal_name": exact(san) } });
    let permission = |name| json!({ "requested_server_name": exact(name) });
    let principals = match spec.principals.as_slice() {
        [] => any(),
        principals => principals.iter().map(principal).collect(),
    };
    let permissions = match spec.server_names.as_slice() {
        [] => any(),
        names => names.iter().map(permission).collect(),
    };
    let action = match spec.action {
        RbacAction::Allow => "ALLOW",
        RbacAction::Deny => "DENY",
    };
    let policy = json!({ "permissions": permissions, "principals": principals });
    let rules = json!({ "action": action, "policies": { "policy": policy } });
    filter(
        "rbac",
        "rbac.v3.RBAC",
        json!({ "stat_prefix": "rbac", "rules": rules }),
    )
}

fn set_filter_state(objects: &BTreeMap<String, String>) -> Value {
    let object = |(key, value): (&String, &String)| {
        let factory = match key.as_str() {
            CLUSTER_KEY => CLUSTER_KEY,
            _ => "envoy.string",
        };
        json!({
            "object_key": key,
            "factory_key": factory,
            "format_string": { "text_format_source": { "inline_string": value } },
        })
    };
    let objects: Vec<_> = objects.iter().map(object).collect();
    filter(
        "set_filter_state",
        "set_filter_state.v3.Config",
        json!({ "on_new_connection": objects }),
    )
}

fn text(text: &str) -> Value {
    json!({ "@type": "type.googleapis.com/google.protobuf.StringValue", "value": text })
}

pub(crate) fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
