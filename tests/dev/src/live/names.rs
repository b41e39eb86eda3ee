//! The names of workloads in a mesh with several namespaces.

use std::collections::BTreeSet;

use mesh::exposition::Labels;

const UNKNOWN: &str = "unknown";
/// The labels with a workload, and those with its namespace.
const WORKLOADS: [[&str; 2]; 2] = [
    ["source_workload", "source_workload_namespace"],
    ["destination_workload", "destination_workload_namespace"],
];

/// How workloads are named. With several namespaces, a name has its own, so that two workloads with
/// one name stay two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Names {
    has_namespaces: bool,
}

impl Names {
    /// The names for these series.
    pub(super) fn of<'a>(series: impl Iterator<Item = &'a Labels>) -> Self {
        let known = |labels: &'a Labels| {
            let names = WORKLOADS.iter().filter_map(|[_, name]| labels.get(*name));
            names.filter(|name| is_known(name))
        };
        let namespaces: BTreeSet<_> = series.flat_map(known).collect();
        Self {
            has_namespaces: namespaces.len() > 1,
        }
    }

    /// Puts them into a series. A name that is missing or empty is `unknown`, as Istio writes it.
    pub(super) fn put(self, labels: &mut Labels) {
        for [workload, namespace] in WORKLOADS {
            let namespace = labels.get(namespace).filter(|name| is_known(name)).cloned();
            let name = labels.entry(workload.to_owned()).or_default();
            match namespace.filter(|_| self.has_namespaces) {
                _ if !is_known(name) => UNKNOWN.clone_into(name),
                Some(namespace) => *name = format!("{name}.{namespace}"),
                None => {}
            }
        }
    }
}

fn is_known(name: &str) -> bool {
    !name.is_empty() && name != UNKNOWN
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(ends: [[&str; 4]; 2]) -> Vec<[String; 2]> {
        let labels = |[source, from, destination, to]: [&str; 4]| {
            mesh::labels::owned([
                ("source_workload", source),
                ("source_workload_namespace", from),
                ("destination_workload", destination),
                ("destination_workload_namespace", to),
            ])
        };
        let mut all = ends.map(labels);
        let names = Names::of(all.iter());
        all.iter_mut().for_each(|labels| names.put(labels));
        let ends = |labels: Labels| WORKLOADS.map(|[workload, _]| labels[workload].clone());
        all.map(ends).into()
    }

    #[test]
    fn a_namespace_is_added_where_there_are_several() {
        let one = names([["a", "x", "b", "x"], ["unknown", "unknown", "b", "x"]]);
        assert_eq!(one, [["a", "b"], ["unknown", "b"]]);
        let two = names([["a", "x", "b", "y"], ["unknown", "x", "a", ""]]);
        assert_eq!(two, [["a.x", "b.y"], ["unknown", "a"]]);
    }
}
