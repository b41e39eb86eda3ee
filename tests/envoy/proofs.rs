//! A client writes its frame only where it is known to be read: a first connection without it, and
//! a server that loses its filter.

use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::path::{Path, PathBuf};

use mesh::apps::{self, App};
use mesh::labels::{OPENED, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Envoy, Filter, Scratch};
use serde_json::{Value, json};

use crate::bootstrap::{chains, is_wasm};
use crate::fixture::{Fixture, SERVICE, check_outcomes, expect, round_trip};

/// A client whose configuration lists no cluster.
pub(crate) fn unlisted() -> Filter {
    Filter::Configured(json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "clusters": [] },
    }))
}

/// Waits until this counter of the filter, over all labels, has this value.
pub(crate) fn check_counter(envoy: &Envoy, metric: &str, value: f64) -> Result {
    poll::until(&format!("{metric} to be {value}"), LIMIT, || {
        let seen = envoy.metrics()?.sum(metric, &[]);
        Ok(if seen == value {
            Look::Found(())
        } else {
            Look::NotYet(seen.to_string())
        })
    })?;
    Ok(())
}

/// Waits until a reporter counts this many connections with all labels of the exchange.
pub(crate) fn check_complete(fixture: &Fixture, reporter: Reporter, count: u64) -> Result {
    let labels = fixture.labels(reporter)?;
    let labels: Vec<_> = labels
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let what = format!("{count} connections of {reporter} with all labels");
    poll::until(&what, LIMIT, || {
        let metrics = fixture.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        let (complete, all) = (metrics.sum(OPENED, &labels), metrics.sum(OPENED, &[]));
        Ok(if complete == count as f64 && complete == all {
            Look::Found(())
        } else {
            Look::NotYet(format!("{complete} of {all}"))
        })
    })?;
    Ok(())
}

#[test]
fn a_pool_has_all_labels_although_its_first_connection_carries_no_frame() -> Result {
    let fixture = Fixture::with("pool", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(unlisted()).service(service)
    })?;
    let mut pool = Vec::new();
    for _ in 0..3 {
        let mut stream = fixture.connect()?;
        stream.write_all(b"query")?;
        expect(&mut stream, b"query")?;
        pool.push(stream);
    }
    check_complete(&fixture, Reporter::Source, 3)?;
    check_complete(&fixture, Reporter::Destination, 3)?;
    check_outcomes(&fixture.mesh, Reporter::Source, "exchanged", 3)?;
    check_outcomes(&fixture.mesh, Reporter::Destination, "exchanged", 2)?;
    let server = fixture.mesh.server(SERVICE)?;
    check_counter(server, "istio_tcp_reused_metadata_total", 1.0)
}

#[test]
fn a_server_without_the_filter_never_gets_a_frame() -> Result {
    let fixture = Fixture::with("no-filter", App::start(apps::length)?, |mesh, service| {
        mesh.client_filter(unlisted())
            .service(service.filter(Filter::Absent))
    })?;
    for _ in 0..3 {
        assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    }
    check_outcomes(&fixture.mesh, Reporter::Source, "absent", 3)
}

/// A rollback of the server at the same address, while the clients still have the filter.
// Shows: filter/docs/peer-exchange.md, "one from each client's proxy"
#[test]
fn a_server_that_loses_its_filter_gets_one_frame_from_all_workers() -> Result {
    let scratch = Scratch::new("lost-listener")?;
    let listener = Listener(scratch.path().join("listener.json"));
    let file = listener.0.clone();
    let fixture = Fixture::with("lost", App::start(apps::length)?, |mesh, service| {
        mesh.client_filter(unlisted())
            .concurrency(2)
            .service(service.edit(move |server| move_to_file(server, &file)))
    })?;
    for _ in 0..4 {
        assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    }
    listener.lose_filter(fixture.mesh.server(SERVICE)?)?;
    let mut at_once = Vec::new();
    for _ in 0..20 {
        let mut stream = fixture.connect()?;
        stream.write_all(b"payload")?;
        at_once.push(stream);
    }
    let mut with_frame = 0;
    for mut stream in at_once {
        let mut answer = Vec::new();
        stream.shutdown(Shutdown::Write)?;
        stream.read_to_end(&mut answer)?;
        with_frame += u32::from(answer != b"7 bytes\n");
    }
    assert_eq!(with_frame, 1);
    assert_eq!(round_trip(fixture.connect()?, b"payload")?, b"7 bytes\n");
    let client = fixture.mesh.client();
    check_counter(client, "istio_tcp_unanswered_frames_total", 1.0)?;
    let log = client.log_text()?;
    let line = "did not answer a frame with one";
    assert_eq!(log.matches(line).count(), 1, "{log}");
    Ok(())
}

/// The file from which a server's sidecar takes its listener.
struct Listener(PathBuf);

/// Moves the listener to a file, which Envoy watches.
fn move_to_file(bootstrap: &mut Value, file: &Path) {
    let mut listener = bootstrap["static_resources"]["listeners"][0].take();
    bootstrap["static_resources"]["listeners"] = json!([]);
    bootstrap["dynamic_resources"] =
        json!({ "lds_config": { "path_config_source": { "path": file } } });
    listener["@type"] = json!("type.googleapis.com/envoy.config.listener.v3.Listener");
    let document = json!({ "resources": [listener] });
    fs::write(file, document.to_string()).unwrap();
}

impl Listener {
    /// Removes the filter from the listener, and waits until Envoy has taken the change.
    fn lose_filter(&self, server: &Envoy) -> Result {
        let mut document: Value = serde_json::from_slice(&fs::read(&self.0)?)?;
        let mut bootstrap = json!({ "static_resources": { "listeners": document["resources"] } });
        for filters in chains(&mut bootstrap) {
            filters.retain(|filter| !is_wasm(filter));
        }
        document["resources"] = bootstrap["static_resources"]["listeners"].take();
        let new = self.0.with_extension("new");
        fs::write(&new, document.to_string())?;
        fs::rename(&new, &self.0)?;
        poll::until("the listener without the filter", LIMIT, || {
            let updated = server.get("/stats?filter=listener_in_place_updated")?;
            Ok(match updated.contains("listener_in_place_updated: 1") {
                true => Look::Found(()),
                false => Look::NotYet(updated),
            })
        })?;
        Ok(())
    }
}
