//! Envoy's admin interface as JSON.

use serde_json::Value;

use crate::error::Result;
use crate::kubelet::Pod;

/// The part of `/config_dump` for this query.
pub(super) fn dump(pod: &Pod, query: &str) -> Result<Value> {
    get(pod, &format!("/config_dump?{query}"))
}

/// A path of the admin interface.
pub(super) fn get(pod: &Pod, path: &str) -> Result<Value> {
    let text = pod.admin(path)?;
    Ok(serde_json::from_str(&text).map_err(|error| mesh::Error::malformed(path, error))?)
}

/// The items of the array at a place; none if there is no array.
pub(super) fn items<'a>(value: &'a Value, place: &str) -> impl Iterator<Item = &'a Value> {
    value
        .pointer(place)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// The text at a place.
pub(super) fn text(value: &Value, place: &str) -> Option<String> {
    value
        .pointer(place)
        .and_then(Value::as_str)
        .map(str::to_owned)
}
