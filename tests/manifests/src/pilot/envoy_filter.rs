//! Applies EnvoyFilters as istiod does.

use serde_json::Value;

use super::matching::Match;
use super::{Sidecar, array, elements, text};
use crate::error::{Error, Result};
use crate::manifest::Manifest;

/// Applies the patches in order. Returns the number of places that each of them changed.
pub(super) fn apply(sidecar: &mut Sidecar, manifest: &Manifest) -> Result<Vec<usize>> {
    let selector = manifest.document.pointer("/spec/workloadSelector/labels");
    let patches = super::list(&manifest.document, "/spec/configPatches");
    if !sidecar.is_selected(selector) {
        return Ok(vec![0; patches.len()]);
    }
    let mut hits = Vec::new();
    for (index, patch) in patches.iter().enumerate() {
        let what = format!("{manifest}, patch {index}");
        hits.push(Patch::parse(&what, patch)?.apply(sidecar)?);
    }
    Ok(hits)
}

struct Patch<'a> {
    what: &'a str,
    apply_to: &'a str,
    matches: Match<'a>,
    operation: &'a str,
    value: Value,
}

impl<'a> Patch<'a> {
    fn parse(what: &'a str, patch: &'a Value) -> Result<Self> {
        Ok(Self {
            what,
            apply_to: text(patch, "/applyTo"),
            matches: Match::parse(what, patch)?,
            operation: text(patch, "/patch/operation"),
            value: patch.pointer("/patch/value").cloned().unwrap_or_default(),
        })
    }

    fn apply(&self, sidecar: &mut Sidecar) -> Result<usize> {
        let mut hits = 0;
        match self.apply_to {
            "NETWORK_FILTER" | "FILTER_CHAIN" => {
                for listener in sidecar
                    .listeners()
                    .filter(|listener| self.matches.takes_listener(listener))
                {
                    let whole = listener.clone();
                    let chains = elements(listener, "filter_chains");
                    for chain in chains.filter(|chain| self.matches.takes_chain(&whole, chain)) {
                        hits += usize::from(match self.apply_to {
                            "FILTER_CHAIN" => self.merge_chain(chain)?,
                            _ => self.edit(chain, "filters", self.matches.filter())?,
                        });
                    }
                }
            }
            "LISTENER_FILTER" | "LISTENER" => {
                for listener in sidecar
                    .listeners()
                    .filter(|listener| self.matches.takes_listener(listener))
                {
                    hits += usize::from(match self.apply_to {
                        "LISTENER" => self.merge(listener)?,
                        _ => self.edit_listener_filters(listener)?,
                    });
                }
            }
            "CLUSTER" => {
                let clusters = sidecar.clusters();
                for cluster in clusters.filter(|cluster| self.matches.takes_cluster(cluster)) {
                    hits += usize::from(self.merge(cluster)?);
                }
            }
            other => return Err(self.unknown("applyTo", other)),
        }
        Ok(hits)
    }

    /// Edits a list of filters, relative to the filter with the name `wanted`. Returns whether the
    /// patch changed it.
    fn edit(&self, holder: &mut Value, list: &str, wanted: Option<&str>) -> Result<bool> {
        let Some(filters) = array(holder, list) else {
            return Ok(false);
        };
        let place = wanted.map(|wanted| {
            filters
                .iter()
                .position(|filter| text(filter, "/name") == wanted)
        });
        match (self.operation, place) {
            ("INSERT_FIRST", _) | ("INSERT_BEFORE", None) => filters.insert(0, self.value.clone()),
            ("ADD", _) | ("INSERT_AFTER", None) => filters.push(self.value.clone()),
            ("INSERT_BEFORE", Some(Some(place))) => filters.insert(place, self.value.clone()),
            ("INSERT_AFTER", Some(Some(place))) => filters.insert(place + 1, self.value.clone()),
            ("REPLACE", Some(Some(place))) => {
                filters.splice(place..=place, [self.value.clone()]);
            }
            ("REMOVE", Some(Some(_))) => {
                filters.retain(|filter| Some(text(filter, "/name")) != wanted)
            }
            // istiod ignores a patch whose filter does not exist, or that lacks the required name
            // of a filter.
            ("INSERT_BEFORE" | "INSERT_AFTER" | "REPLACE" | "REMOVE", _) => return Ok(false),
            (other, _) => return Err(self.unknown("operation", other)),
        }
        Ok(true)
    }

    /// Edits a listener's filters. MERGE is an error: istiod merges into all of them, whatever the
    /// name in the match, and panics for a filter of another type. All patches of the proxy are then
    /// lost (`mergeListenerFilter` in `pilot/pkg/networking/core/envoyfilter/listener_patch.go`).
    fn edit_listener_filters(&self, listener: &mut Value) -> Result<bool> {
        if self.operation == "MERGE" {
            let reason = "istiod panics for MERGE into a listener filter, and drops all patches";
            return Err(Error::render(self.what, reason));
        }
        self.edit(listener, "listener_filters", self.matches.listener_filter())
    }

    /// Merges into a chain. istiod merges a transport socket into the message in the chain's socket,
    /// and adds it to a chain without one.
    fn merge_chain(&self, chain: &mut Value) -> Result<bool> {
        let socket = |holder: &Value, field: &str| {
            text(holder, &format!("/transport_socket/{field}")).to_owned()
        };
        for field in ["name", "typed_config/@type"] {
            let (old, new) = (socket(chain, field), socket(&self.value, field));
            if !old.is_empty() && !new.is_empty() && old != new {
                let reason = format!("the transport socket `{new}` for `{old}` is not supported");
                return Err(Error::render(self.what, reason));
            }
        }
        self.merge(chain)
    }

    fn merge(&self, target: &mut Value) -> Result<bool> {
        match self.operation {
            "MERGE" => merge(target, &self.value, false),
            "MERGE_AND_REPLACE_LIST" => merge(target, &self.value, true),
            other => return Err(self.unknown("operation", other)),
        }
        Ok(true)
    }

    fn unknown(&self, what: &str, name: &str) -> Error {
        Error::render(self.what, format!("the {what} `{name}` is not supported"))
    }
}

/// Merges as protobuf does: messages by field, lists by appending. With `replace_lists` a list
/// replaces the other one, unless it is empty: an empty list is equal to a missing field.
fn merge(target: &mut Value, patch: &Value, replace_lists: bool) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (name, value) in patch {
                merge(
                    target.entry(name).or_insert(Value::Null),
                    value,
                    replace_lists,
                );
            }
        }
        (Value::Array(target), Value::Array(patch)) => {
            if replace_lists && !patch.is_empty() {
                target.clear();
            }
            target.extend(patch.iter().cloned());
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn lists_are_appended_to_or_replaced() {
        let patch = json!({ "filters": [2], "name": "new" });
        for (replace, expected) in [(false, json!([1, 2])), (true, json!([2]))] {
            let mut target = json!({ "filters": [1], "name": "old", "kept": true });
            merge(&mut target, &patch, replace);
            assert_eq!(
                target,
                json!({ "filters": expected, "name": "new", "kept": true })
            );
        }
        let mut target = json!({ "filters": [1] });
        merge(&mut target, &json!({ "filters": [] }), true);
        assert_eq!(
            target,
            json!({ "filters": [1] }),
            "an empty list replaces nothing"
        );
    }
}
