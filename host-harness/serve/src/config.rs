//! An Envoy bootstrap, as far as the harness can serve it.

mod cluster;
mod listener;
mod reader;
mod schema;

pub(crate) use self::cluster::Cluster;
pub(crate) use self::listener::{FilterChain, Listener, Plugin};
pub use self::reader::ConfigError;
pub(crate) use self::reader::{Any, Reader, Unknown};

use host_harness::{Node, StatsTag};
use serde_json::Value;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;

/// A bootstrap that was read. What it names, modules and certificates, is loaded when it is served.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    document: Value,
}

/// Everything that is to be served, checked and loaded.
pub(crate) struct Config {
    pub(crate) node: Node,
    pub(crate) stats_tags: Vec<StatsTag>,
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) listeners: Vec<Listener>,
    /// Fields without effect, by path.
    pub(crate) warnings: Vec<String>,
}

impl Bootstrap {
    /// Reads a file: JSON if it is called so, else YAML.
    ///
    /// # Errors
    /// It cannot be read or is not well-formed.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let name = path.display().to_string();
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: name.clone(),
            source,
        })?;
        let json = path
            .extension()
            .is_some_and(|extension| extension == "json");
        let document: Result<Value, _> = if json {
            serde_json::from_str(&text).map_err(|error| error.to_string())
        } else {
            serde_saphyr::from_str(&text).map_err(|error| error.to_string())
        };
        let syntax = |reason| ConfigError::Syntax { path: name, reason };
        document.map(Self::from).map_err(syntax)
    }

    /// Reads a text: YAML, or JSON, which is YAML too.
    ///
    /// # Errors
    /// It is not well-formed.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let document: Result<Value, _> = serde_saphyr::from_str(text);
        let syntax = |error: serde_saphyr::Error| ConfigError::Syntax {
            path: "the bootstrap".to_owned(),
            reason: error.to_string(),
        };
        document.map(Self::from).map_err(syntax)
    }

    /// Whether it can be served, without serving it: what in it has no effect, by path. The modules that it names are not
    /// looked at, the certificates are.
    ///
    /// # Errors
    /// What is wrong or not supported, by path.
    pub fn check(&self) -> Result<Vec<String>, ConfigError> {
        self.load().map(|config| config.warnings)
    }

    /// Checks it and loads the certificates that it names. Relative file names are relative to the working directory.
    pub(crate) fn load(&self) -> Result<Config, ConfigError> {
        let mut reader = Reader::default();
        let document: schema::Bootstrap = reader.read(self.document.clone(), "", Unknown::Warn)?;
        let resources = document.static_resources;

        let mut clusters = HashMap::new();
        for (index, cluster) in resources.clusters.into_iter().enumerate() {
            let path = format!("static_resources.clusters[{index}]");
            let cluster = Cluster::load(cluster, &path, &mut reader)?;
            clusters.insert(cluster.name.clone(), Rc::new(cluster));
        }
        let mut listeners = Vec::new();
        for (index, listener) in resources.listeners.into_iter().enumerate() {
            let path = format!("static_resources.listeners[{index}]");
            listeners.push(Listener::load(listener, &path, &clusters, &mut reader)?);
        }

        Ok(Config {
            node: node(document.node),
            stats_tags: stats_tags(document.stats_config)?,
            admin: document.admin.map(|admin| admin.address.get()),
            listeners,
            warnings: reader.warnings,
        })
    }
}

/// The document itself, YAML or JSON alike.
impl From<Value> for Bootstrap {
    fn from(document: Value) -> Self {
        Self { document }
    }
}

fn node(node: schema::Node) -> Node {
    let built = Node::new(node.id)
        .cluster(node.cluster)
        .metadata(node.metadata);
    match node.locality {
        Some(locality) => built.locality(locality.region, locality.zone),
        None => built,
    }
}

fn stats_tags(config: schema::StatsConfig) -> Result<Vec<StatsTag>, ConfigError> {
    let tags = config.stats_tags.into_iter().enumerate();
    tags.map(|(index, tag)| {
        let path = || format!("stats_config.stats_tags[{index}].regex");
        StatsTag::new(tag.tag_name, &tag.regex).map_err(|error| ConfigError::invalid(path(), error))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bootstrap_is_checked_without_being_served() {
        let bootstrap = Bootstrap::parse("{ static_resources: {}, layered_runtime: {} }").unwrap();
        let warnings = bootstrap.check().unwrap();
        assert_eq!(
            warnings,
            ["layered_runtime is not supported and has no effect"]
        );
        let error = Bootstrap::parse("a: [").unwrap_err();
        assert!(error.to_string().contains("not well-formed"), "{error}");
    }
}
