//! Envoy's DogStatsD sink beside the filter: it writes labels as tags, as they are.

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use mesh::Hop;
use mesh::Scratch;
use mesh::apps::{self, App};
use mesh::labels::OPENED;
use mesh::testing::{LIMIT, Result};
use peer_exchange::{Frame, Struct, Value as Member};
use serde_json::{Value, json};

use crate::fixture::{nobody, server};

/// Workload names that try to inject a tag, a sample rate or a metric.
const FORGERIES: [&str; 6] = [
    "x,env:prod",
    "x|@0.001",
    "x|c|#env:prod",
    "x\nforged.metric:100|c",
    "x\r\n,|;",
    "a:b@c#d",
];

/// The lines of a counter that the sink has sent once one connection is over.
fn lines(
    name: &str,
    application: std::net::SocketAddr,
    configuration: &Value,
    bytes: &[u8],
) -> Result<Vec<String>> {
    let sink = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    sink.set_read_timeout(Some(Duration::from_millis(100)))?;
    let port = sink.local_addr()?.port();
    let scratch = Scratch::new(name)?;
    let envoy = server(
        &scratch,
        Hop::Plaintext,
        application,
        configuration,
        |bootstrap| {
            bootstrap["stats_flush_interval"] = json!("0.2s");
            bootstrap["stats_sinks"] = json!([{
                "name": "envoy.stat_sinks.dog_statsd",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.config.metrics.v3.DogStatsdSink",
                    "address": { "socket_address": { "protocol": "UDP", "address": "127.0.0.1", "port_value": port } },
                },
            }]);
        },
    )?;
    let mut client = TcpStream::connect(envoy.listener("virtualInbound")?)?;
    // An application that is down ends the connection before.
    let _sent = client.write_all(bytes);
    drop(client);
    let deadline = Instant::now() + LIMIT;
    let mut datagram = vec![0; 65_536];
    while Instant::now() < deadline {
        let Ok(size) = sink.recv(&mut datagram) else {
            continue;
        };
        let text = String::from_utf8_lossy(datagram.get(..size).unwrap_or_default());
        let lines: Vec<_> = text.lines().map(str::to_owned).collect();
        if lines.iter().any(|line| line.contains(OPENED)) {
            return Ok(lines);
        }
    }
    Err(format!("no line of {OPENED}").into())
}

/// The counter's line among others.
fn opened(lines: &[String]) -> Result<&str> {
    let line = lines.iter().find(|line| line.contains(OPENED));
    Ok(line.ok_or("no line of the counter")?)
}

/// The tags in a line; the line is a name, a value, a type and the tags, and nothing else.
fn tags(line: &str) -> Result<Vec<&str>> {
    let fields: Vec<_> = line.split('|').collect();
    let [value, "c", tags] = fields.as_slice() else {
        return Err(line.into());
    };
    assert_eq!(*value, format!("envoy.wasmcustom.{OPENED}:1"));
    Ok(tags.strip_prefix('#').ok_or(line)?.split(',').collect())
}

#[test]
fn no_peer_makes_a_tag_a_sample_rate_or_a_metric() -> Result {
    let app = App::start(apps::echo)?;
    let on = json!({ "tcp_reporting_duration": "0", "peer_exchange": { "mode": "on" } });
    for (index, forgery) in FORGERIES.iter().enumerate() {
        let labels = Struct::from_iter([("app", *forgery), ("version", *forgery)]);
        let metadata = Struct::from_iter([
            ("WORKLOAD_NAME", Member::from(*forgery)),
            ("NAMESPACE", Member::from(*forgery)),
            ("LABELS", Member::from(labels)),
        ]);
        let bytes = [Frame::new(metadata, "").encode(), b"query".to_vec()].concat();
        let lines = lines(&format!("statsd-{index}"), app.address(), &on, &bytes)?;
        for line in &lines {
            assert!(!line.starts_with("forged"), "{line}");
        }
        let line = opened(&lines)?;
        let tags = tags(line)?;
        assert_eq!(tags.len(), 23, "{line}");
        assert!(tags.iter().all(|tag| tag.contains(':')), "{line}");
        assert!(!tags.contains(&"source_workload:unknown"), "{line}");
    }
    Ok(())
}

/// Istio's comma makes two tags of two flags; the separator that the documentation names makes one.
#[test]
fn two_response_flags_are_one_tag_with_another_separator() -> Result {
    for (separator, expected, count) in [
        (",", "response_flags:UF,URX,", 24),
        ("-", "response_flags:UF-URX,", 23),
    ] {
        let configuration = json!({
            "tcp_reporting_duration": "0",
            "response_flags_separator": separator,
        });
        let name = format!("statsd-flags-{count}");
        let lines = lines(&name, nobody()?, &configuration, b"query")?;
        let line = opened(&lines)?;
        assert!(line.contains(expected), "{line}");
        assert_eq!(tags(line)?.len(), count, "{line}");
    }
    Ok(())
}
