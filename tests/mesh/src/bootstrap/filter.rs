//! The filters of a bootstrap and their configurations.

use std::path::Path;

use serde_json::{Map, Value, json};

use super::{Bootstrap, at, each};

/// The section of a configuration that differs between the filters of the files.
const EXCHANGE: &str = "peer_exchange";

impl Bootstrap {
    /// Sets `wasm` and `configuration` in every Wasm filter. A filter keeps the members of
    /// `peer_exchange` in its file that `configuration` does not have. Without a configuration,
    /// removes the filters.
    ///
    /// Removes the clusters' ALPN if no filter removes the frames that it asks for, or if the mode
    /// is one of a client that does not exchange.
    pub fn filter(&mut self, wasm: &Path, configuration: Option<&Value>) {
        let mode = configuration.and_then(|each| each.pointer("/peer_exchange/mode"));
        let mode = mode.and_then(Value::as_str);
        if configuration.is_none() || matches!(mode, Some("off" | "receive")) {
            self.offer_no_alpn();
        }
        let Some(configuration) = configuration else {
            return self.each("filters", &mut |filters| {
                if let Some(filters) = filters.as_array_mut() {
                    filters.retain(|filter| !is_wasm(filter));
                }
            });
        };
        self.each("local", &mut |local| *local = json!({ "filename": wasm }));
        configure(&mut self.document, &mut |of_file| {
            let mut configuration = configuration.clone();
            if let Some(exchange) = of_file.get(EXCHANGE).and_then(Value::as_object) {
                complete(&mut configuration, exchange);
            }
            configuration
        });
    }

    /// Removes the ALPN of all clusters.
    fn offer_no_alpn(&mut self) {
        if let Ok(clusters) = at(&mut self.document, "/static_resources/clusters") {
            each(clusters, "common_tls_context", &mut |context| {
                if let Some(context) = context.as_object_mut() {
                    context.remove("alpn_protocols");
                }
            });
        }
    }
}

/// Sets the clusters that the filters of a listener write to.
pub(super) fn list_clusters(listener: &mut Value, clusters: &[String]) {
    configure(listener, &mut |mut configuration| {
        if let Some(listed) = configuration.pointer_mut("/peer_exchange/clusters") {
            *listed = json!(clusters);
        }
        configuration
    });
}

/// Replaces the configuration of every filter.
fn configure(document: &mut Value, change: &mut dyn FnMut(Value) -> Value) {
    each(document, "configuration", &mut |configuration| {
        if let Some(value) = configuration.get_mut("value") {
            let text = value.as_str().unwrap_or_default();
            let parsed = serde_json::from_str(text).unwrap_or_default();
            *value = json!(change(parsed).to_string());
        }
    });
}

/// Adds the members of `exchange` that the configuration does not have.
fn complete(configuration: &mut Value, exchange: &Map<String, Value>) {
    let Some(configuration) = configuration.as_object_mut() else {
        return;
    };
    let own = configuration.entry(EXCHANGE).or_insert_with(|| json!({}));
    if let Some(own) = own.as_object_mut() {
        for (name, value) in exchange {
            own.entry(name).or_insert_with(|| value.clone());
        }
    }
}

fn is_wasm(filter: &Value) -> bool {
    let kind = filter
        .pointer("/typed_config/@type")
        .and_then(Value::as_str);
    kind.is_some_and(|kind| kind.ends_with(".wasm.v3.Wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The configurations of a bootstrap's filters, without repetitions.
    fn configurations(bootstrap: &Bootstrap) -> Vec<Value> {
        let mut found = Vec::new();
        let mut document = bootstrap.document().clone();
        configure(&mut document, &mut |configuration| {
            found.push(configuration);
            Value::Null
        });
        found.dedup();
        found
    }

    fn offers(bootstrap: &Bootstrap) -> bool {
        let clusters = &bootstrap.document()["static_resources"]["clusters"];
        clusters.to_string().contains("istio-peer-exchange")
    }

    fn filtered(mut bootstrap: Bootstrap, configuration: Value) -> Bootstrap {
        bootstrap.filter(Path::new("x"), Some(&configuration));
        bootstrap
    }

    #[test]
    fn the_files_mode_and_clusters_stay() {
        let server = filtered(
            Bootstrap::server_sidecar().unwrap(),
            json!({ "debug": true }),
        );
        let on = json!({ "debug": true, "peer_exchange": { "mode": "on" } });
        assert_eq!(configurations(&server), [on, json!({ "debug": true })]);
        let client = filtered(Bootstrap::client_sidecar().unwrap(), json!({}));
        let listed = json!([
            "outbound|27017||mongodb.default.svc.cluster.local",
            "outbound|5432||postgresql.default.svc.cluster.local",
        ]);
        let exchanging = json!({ "peer_exchange": { "clusters": listed } });
        assert_eq!(configurations(&client), [exchanging]);
        assert!(offers(&client));
    }

    #[test]
    fn a_configuration_of_its_own_wins() {
        let receive = json!({ "peer_exchange": { "mode": "receive", "clusters": [] } });
        let client = filtered(Bootstrap::client_sidecar().unwrap(), receive.clone());
        assert_eq!(configurations(&client), [receive]);
        assert!(!offers(&client));
        let auto = json!({ "peer_exchange": { "mode": "auto" } });
        let server = filtered(Bootstrap::server_sidecar().unwrap(), auto.clone());
        assert_eq!(configurations(&server), [auto]);
    }

    #[test]
    fn without_a_filter_no_cluster_offers_the_alpn() {
        let mut client = Bootstrap::client_sidecar().unwrap();
        assert!(offers(&client));
        client.filter(Path::new("x"), None);
        assert!(!offers(&client));
        assert_eq!(configurations(&client), [Value::Null; 0]);
    }
}
