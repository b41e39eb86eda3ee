//! What istiod knows of its proxies: the acknowledged resources and the refused ones.

use std::collections::BTreeMap;

use mesh::Exposition;
use serde::Deserialize;

use crate::error::{Error, Result};

/// The metric of refused resources. It is absent while there are none.
const REJECTS: &str = "pilot_total_xds_rejects";

/// The state of all proxies at one moment.
#[derive(Debug)]
pub struct Proxies {
    proxies: Vec<Proxy>,
    rejects: Vec<String>,
}

/// A line of `/debug/syncz`.
#[derive(Debug, Deserialize)]
struct Proxy {
    proxy: String,
    #[serde(default)]
    resources: BTreeMap<String, Resource>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Resource {
    sent: String,
    acked: String,
    last_error: String,
}

impl Proxies {
    /// Parses `/debug/syncz` and istiod's metrics.
    ///
    /// # Errors
    /// One of them is malformed.
    pub(super) fn parse(sync: &str, metrics: &str) -> Result<Self> {
        let proxies = serde_json::from_str::<Option<Vec<Proxy>>>(sync)
            .map_err(|error| mesh::Error::malformed("/debug/syncz of istiod", error))?;
        let metrics = Exposition::parse(metrics)?;
        let rejects = metrics.named(REJECTS).filter(|series| series.value > 0.0);
        Ok(Self {
            proxies: proxies.unwrap_or_default(),
            rejects: rejects.map(ToString::to_string).collect(),
        })
    }

    /// The number of proxies that have acknowledged something.
    #[must_use]
    pub fn number(&self) -> usize {
        let acknowledges = |proxy: &&Proxy| {
            let mut resources = proxy.resources.values();
            resources.any(|resource| !resource.acked.is_empty())
        };
        self.proxies.iter().filter(acknowledges).count()
    }

    /// The number of subscriptions, one per proxy and kind of resource, of which everything sent is
    /// acknowledged.
    #[must_use]
    pub fn acknowledged(&self) -> usize {
        self.resources()
            .filter(|(_, _, resource)| !resource.sent.is_empty() && resource.sent == resource.acked)
            .count()
    }

    /// The resources that are sent and not acknowledged, as `proxy type`.
    #[must_use]
    pub fn pending(&self) -> Vec<String> {
        self.resources()
            .filter(|(_, _, resource)| resource.sent != resource.acked)
            .map(|(proxy, kind, _)| format!("{proxy} {}", short(kind)))
            .collect()
    }

    /// Whether a proxy has refused a resource since istiod's start.
    #[must_use]
    pub fn has_rejects(&self) -> bool {
        !self.rejects.is_empty()
    }

    /// Checks that no proxy has ever refused a resource.
    ///
    /// # Errors
    /// One did; the message has the proxy's reason if it is still in force.
    pub fn check_rejects(&self) -> Result<()> {
        let errors = self
            .resources()
            .filter(|(_, _, resource)| !resource.last_error.is_empty());
        let errors = errors.map(|(proxy, kind, resource)| {
            format!("{proxy} {}: {}", short(kind), resource.last_error)
        });
        let faults: Vec<_> = self.rejects.iter().cloned().chain(errors).collect();
        if faults.is_empty() {
            return Ok(());
        }
        Err(Error::Check(format!(
            "a proxy refused a resource: {}",
            faults.join("; ")
        )))
    }

    fn resources(&self) -> impl Iterator<Item = (&str, &str, &Resource)> {
        self.proxies.iter().flat_map(|proxy| {
            let resources = proxy.resources.iter();
            resources.map(|(kind, resource)| (proxy.proxy.as_str(), kind.as_str(), resource))
        })
    }
}

/// The last part of a type's URL.
fn short(kind: &str) -> &str {
    kind.rsplit(['.', '/']).next().unwrap_or(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENER: &str = "type.googleapis.com/envoy.config.listener.v3.Listener";

    fn sync(resource: &str) -> String {
        format!(r#"[{{ "proxy": "db-1.shop", "resources": {{ "{LISTENER}": {resource} }} }}]"#)
    }

    #[test]
    fn a_resource_that_is_not_acknowledged_is_pending() {
        let state = sync(r#"{ "sent": "2", "acked": "1" }"#);
        let proxies = Proxies::parse(&state, "").unwrap();
        assert_eq!(proxies.pending(), ["db-1.shop Listener"]);
        assert_eq!((proxies.number(), proxies.acknowledged()), (1, 0));
        let state = sync(r#"{ "sent": "2", "acked": "2" }"#);
        let proxies = Proxies::parse(&state, "").unwrap();
        assert!(proxies.pending().is_empty() && proxies.check_rejects().is_ok());
        assert_eq!(proxies.acknowledged(), 1);
    }

    #[test]
    fn a_refused_resource_is_a_fault_with_its_reason() {
        let state = sync(r#"{ "sent": "2", "acked": "2", "lastError": "no such filter" }"#);
        let refused = Proxies::parse(&state, "").unwrap().check_rejects();
        let message = refused.unwrap_err().to_string();
        assert!(
            message.ends_with("db-1.shop Listener: no such filter"),
            "{message}"
        );
        let state = sync(r#"{ "sent": "2", "acked": "2" }"#);
        let metrics = "pilot_total_xds_rejects{type=\"lds\"} 1\n";
        assert!(
            Proxies::parse(&state, metrics)
                .unwrap()
                .check_rejects()
                .is_err()
        );
        assert!(Proxies::parse(&state, metrics).unwrap().has_rejects());
        let none = Proxies::parse("null", "").unwrap();
        assert!(none.check_rejects().is_ok() && !none.has_rejects());
    }
}
