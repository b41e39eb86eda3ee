//! Reaching into a bootstrap.

use serde_json::Value;

/// The filters of every chain of every listener.
pub(crate) fn chains(bootstrap: &mut Value) -> impl Iterator<Item = &mut Vec<Value>> {
    items(&mut bootstrap["static_resources"], "listeners")
        .flat_map(|listener| items(listener, "filter_chains"))
        .filter_map(|chain| chain["filters"].as_array_mut())
}

fn items<'a>(value: &'a mut Value, member: &str) -> impl Iterator<Item = &'a mut Value> {
    value[member].as_array_mut().into_iter().flatten()
}

/// Whether a filter is a Wasm filter.
pub(crate) fn is_wasm(filter: &Value) -> bool {
    let kind = filter["typed_config"]["@type"].as_str();
    kind.is_some_and(|kind| kind.ends_with("network.wasm.v3.Wasm"))
}
