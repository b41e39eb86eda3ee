//! The plugin's configuration.

use serde_json::Value;
use tcp_peer_stats_core::Plugin;
use tcp_peer_stats_core::config::Config;
use tcp_peer_stats_core::host::Buffer;

use crate::host::FakeHost;
use crate::{exchange, stats};

/// A configuration is rejected with a reason, or it is parsed to the same value each time, also
/// after it is written again as JSON. A plugin that starts with it has valid stats names and counts
/// its connection.
pub fn configuration(input: &[u8]) {
    let config = match Config::parse(input) {
        Ok(config) => config,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    assert_eq!(Config::parse(input).as_ref(), Ok(&config));
    if let Ok(document) = serde_json::from_slice::<Value>(input) {
        let again = Config::parse(document.to_string().as_bytes());
        assert_eq!(again.as_ref(), Ok(&config));
    }

    let host = FakeHost::default();
    let plugin = match Plugin::configure(&host, 1, input) {
        Ok(plugin) => plugin,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let events = [
        (Buffer::Downstream, b"query".as_slice(), false),
        (Buffer::Upstream, b"answer", true),
    ];
    let Some((to_server, to_client)) = exchange::run(&plugin, &host, &events) else {
        return;
    };
    assert!(to_server.ends_with(b"query"));
    assert_eq!(to_client, b"answer");
    stats::check(&host, &config.naming);
    let dropped = |metric: &str| {
        let of = |entry: &&tcp_peer_stats_core::config::MetricConfig| {
            entry.drop && (entry.name.is_empty() || metric.ends_with(&entry.name))
        };
        config.metrics.iter().find(of).is_some()
    };
    for (metric, count) in [
        ("tcp_connections_opened_total", 1),
        ("tcp_connections_closed_total", 1),
        ("tcp_received_bytes_total", 5),
        ("tcp_sent_bytes_total", 6),
    ] {
        let found = host.sum(&format!("{}_{metric}", config.naming.prefix));
        assert!(
            found == count || found == 0 && dropped(metric),
            "{metric} is {found}"
        );
    }
}
