//! The files with the listeners and clusters of an Envoy.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Context, Result};

/// The two kinds of resources, with the name of their file and the prefix of their stats.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Clusters,
    Listeners,
}

impl Kind {
    pub(super) fn file(self) -> &'static str {
        match self {
            Self::Clusters => "clusters.json",
            Self::Listeners => "listeners.json",
        }
    }

    pub(super) fn stats(self) -> &'static str {
        match self {
            Self::Clusters => "cluster_manager.cds",
            Self::Listeners => "listener_manager.lds",
        }
    }

    pub(super) fn of_type(self) -> &'static str {
        match self {
            Self::Clusters => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Listeners => "type.googleapis.com/envoy.config.listener.v3.Listener",
        }
    }
}

/// Writes the resources of a kind. Envoy reads the file when it is moved into place.
pub(super) fn write(
    folder: &Path,
    kind: Kind,
    mut resources: Vec<Value>,
    version: u32,
) -> Result<()> {
    for resource in resources.iter_mut().filter_map(Value::as_object_mut) {
        resource.insert("@type".into(), kind.of_type().into());
    }
    let document = json!({ "version_info": version.to_string(), "resources": resources });
    let file = folder.join(kind.file());
    let new = file.with_extension("new");
    fs::write(&new, document.to_string())
        .and_then(|()| fs::rename(&new, &file))
        .context(|| format!("cannot write {}", file.display()))
}
