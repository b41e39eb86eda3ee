//! Filters of a chain: what they see is the real connection, and their time is real.

use super::{passthrough, set};
use harness_serve::{Bootstrap, Server};
use host_harness::artifact;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;
use testbed::apps::{self, App};

const LIMIT: Duration = Duration::from_secs(10);

/// The probe filter, which does what its configuration says and logs every callback and every answer.
fn probe(name: &str, script: &str) -> Value {
    let module = artifact::build("probe-filter", "wasm").unwrap();
    json!({
        "name": name,
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": {
                "name": name,
                "vm_config": { "runtime": "envoy.wasm.runtime.v8", "code": { "local": { "filename": module } } },
                "configuration": { "@type": "type.googleapis.com/google.protobuf.StringValue", "value": script },
            },
        },
    })
}

/// Serves these filters in front of an application, and hands out the log.
fn serve(app: &App, filters: &[Value]) -> (Server, Receiver<String>) {
    let mut bootstrap = passthrough(app.address());
    let pointer = "/static_resources/listeners/0/filter_chains/0/filters";
    let mut chain = filters.to_vec();
    chain.extend(
        bootstrap
            .pointer(pointer)
            .unwrap()
            .as_array()
            .unwrap()
            .clone(),
    );
    set(&mut bootstrap, pointer, json!(chain));
    let (lines, log) = mpsc::channel();
    // The test may have seen enough.
    let pass_on = move |line: &str| drop(lines.send(line.to_owned()));
    let server = Server::start(Bootstrap::from(bootstrap), 1, pass_on).unwrap();
    (server, log)
}

/// Waits for a line that ends so.
#[track_caller]
fn wait_for(log: &Receiver<String>, end: &str) {
    let mut seen = Vec::new();
    while let Ok(line) = log.recv_timeout(LIMIT) {
        if line.ends_with(end) {
            return;
        }
        seen.push(line);
    }
    assert_eq!(seen, [end]);
}

#[test]
fn a_filter_reads_the_addresses_of_the_sockets() {
    let app = App::start(apps::echo).unwrap();
    let script = "downstream_data#1: property source/address; property destination/address; \
                  property upstream/address; property connection/mtls";
    let (server, log) = serve(&app, &[probe("probe", script)]);
    let listener = server.listener("tcp").unwrap();
    let mut client = TcpStream::connect(listener).unwrap();
    client.write_all(b"hi").unwrap();
    let source = client.local_addr().unwrap();
    wait_for(&log, &format!("property source/address = 0 {source}"));
    wait_for(
        &log,
        &format!("property destination/address = 0 {listener}"),
    );
    wait_for(
        &log,
        &format!("property upstream/address = 0 {}", app.address()),
    );
    wait_for(&log, r"property connection/mtls = 0 \x00");
}

#[test]
fn filters_read_in_the_order_of_the_chain() {
    let app = App::start(apps::echo).unwrap();
    let first = probe("first", "downstream_data#1: set downstream 0 0 1");
    let second = probe("second", "downstream_data#1: set downstream 0 0 2");
    let (server, log) = serve(&app, &[first, second]);
    let mut client = TcpStream::connect(server.listener("tcp").unwrap()).unwrap();
    client.write_all(b"hi").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    let mut echoed = Vec::new();
    client.read_to_end(&mut echoed).unwrap();
    assert_eq!(echoed, b"21hi");
    wait_for(&log, "wasm log first: 2 downstream_data(2, false)");
    wait_for(&log, "wasm log second: 2 downstream_data(3, false)");
}

#[test]
fn ticks_come_by_the_real_clock() {
    let app = App::start(apps::echo).unwrap();
    let (_server, log) = serve(&app, &[probe("probe", "configure: tick 10")]);
    for _ in 0..3 {
        wait_for(&log, "1 tick()");
    }
}

#[test]
fn a_tick_may_close_a_connection() {
    let app = App::start(apps::echo).unwrap();
    let script = "new_connection: tick 10\ntick: effective 2; close downstream";
    let (server, _log) = serve(&app, &[probe("probe", script)]);
    let mut client = TcpStream::connect(server.listener("tcp").unwrap()).unwrap();
    client.set_read_timeout(Some(LIMIT)).unwrap();
    assert_eq!(client.read(&mut [0]).unwrap(), 0);
}

#[test]
fn a_filter_that_refuses_its_configuration_is_named() {
    let app = App::start(apps::echo).unwrap();
    let mut bootstrap = passthrough(app.address());
    let pointer = "/static_resources/listeners/0/filter_chains/0/filters/0";
    let tcp_proxy = bootstrap.pointer(pointer).unwrap().clone();
    let filters = json!([probe("stubborn", "configure: refuse"), tcp_proxy]);
    set(
        &mut bootstrap,
        "/static_resources/listeners/0/filter_chains/0/filters",
        filters,
    );
    let error = super::serve(bootstrap).unwrap_err().to_string();
    assert!(error.starts_with("plugins stubborn: "), "{error}");
}
