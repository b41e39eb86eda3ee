//! The filter's VM dies in the middle of traffic, under each failure policy.

use std::fs;
use std::io::{self, Read, Write};
use std::net::TcpStream;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Counts, Filter, Mesh, Service};
use mesh::{Scratch, Workload, variant, wasm};
use serde_json::{Value, json};

use crate::bootstrap::chains;
use crate::fixture::{Fixture, SERVICE, expect};

/// Envoy's log line for a VM that dies.
const DEATH: &str = "failed: Uncaught RuntimeError";
/// The counts of the connection that is open when it dies.
const REPORTED: Counts = Counts {
    opened: 1,
    closed: 0,
    received: 5,
    sent: 5,
};
/// More bytes than the limited memory has room for.
const FRAME: u32 = 1 << 20;

/// A mesh whose server has the filter with little memory.
struct Dying {
    mesh: Mesh,
    _app: App,
    _scratch: Scratch,
}

impl Dying {
    fn start(name: &str, policy: fn(&mut Value), configuration: Value) -> Result<Self> {
        let scratch = Scratch::new(name)?;
        let app = App::start(apps::echo)?;
        let wasm = scratch.folder("wasm")?.join("limited.wasm");
        fs::write(&wasm, variant::limited(&fs::read(wasm::build()?)?)?)?;
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm)
            .configuration(configuration)
            .client_filter(Filter::Absent)
            .service(service.edit(policy))
            .start(&scratch)?;
        Ok(Self {
            mesh,
            _app: app,
            _scratch: scratch,
        })
    }

    fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.mesh.address(SERVICE)?)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    }

    fn is_dead(&self) -> mesh::Result<bool> {
        Ok(self.mesh.server(SERVICE)?.log_text()?.contains(DEATH))
    }

    /// Waits until exactly this is reported.
    fn report(&self, counts: Counts) -> Result {
        poll::until(&format!("{counts:?}"), LIMIT, || {
            let reported = self.mesh.reported(Reporter::Destination, SERVICE)?;
            Ok(if reported == counts {
                Look::Found(())
            } else {
                Look::NotYet(format!("{reported:?}"))
            })
        })?;
        Ok(())
    }

    /// Sends a frame that the configuration allows and the memory does not.
    fn kill(&self) -> Result {
        let mut stream = self.connect()?;
        stream.write_all(b"\x3d\x23\x04\x67")?;
        stream.write_all(&FRAME.to_be_bytes())?;
        // Envoy closes within it.
        let _ = stream.write_all(&vec![0; FRAME as usize]);
        let _ = stream.read_to_end(&mut Vec::new());
        poll::until("a VM that dies", LIMIT, || {
            Ok(match self.is_dead()? {
                true => Look::Found(()),
                false => Look::NotYet(String::new()),
            })
        })?;
        Ok(())
    }
}

fn policy(bootstrap: &mut Value, policy: Option<&str>) {
    for config in chains(bootstrap)
        .flatten()
        .filter_map(|filter| filter.pointer_mut("/typed_config/config"))
    {
        config["failure_policy"] = json!(policy);
    }
}

pub(crate) fn fail_closed(bootstrap: &mut Value) {
    policy(bootstrap, Some("FAIL_CLOSED"));
}

/// Envoy takes its default.
fn no_policy(bootstrap: &mut Value) {
    policy(bootstrap, None);
}

pub(crate) fn fail_open(bootstrap: &mut Value) {
    policy(bootstrap, Some("FAIL_OPEN"));
}

pub(crate) fn fail_reload(bootstrap: &mut Value) {
    policy(bootstrap, Some("FAIL_RELOAD"));
}

/// Sends three bytes on a new connection. Returns whether they come back.
fn passes(dying: &Dying) -> Result<bool> {
    let mut stream = dying.connect()?;
    let mut answer = [0; 3];
    let echoed = stream
        .write_all(b"new")
        .and_then(|()| stream.read_exact(&mut answer));
    Ok(echoed.is_ok() && &answer == b"new")
}

/// Whether the connection is closed without an answer to the last bytes.
fn is_closed_by(stream: &mut TcpStream, last: &[u8]) -> bool {
    // The write may find it closed already.
    let _ = stream.write_all(last);
    let reset = |error: &io::Error| error.kind() == io::ErrorKind::ConnectionReset;
    match stream.read(&mut [0; 16]) {
        Ok(count) => count == 0,
        Err(error) => reset(&error),
    }
}

/// Kills the VM under a connection of which five bytes each way are reported: the connection is
/// closed at its next byte, and nothing reported is taken back.
fn killed(name: &str, policy: fn(&mut Value)) -> Result<Dying> {
    let configuration = json!({
        "tcp_reporting_duration": "200ms",
        "limits": { "max_frame_bytes": FRAME },
    });
    let dying = Dying::start(name, policy, configuration)?;
    let mut early = dying.connect()?;
    early.write_all(b"hello")?;
    expect(&mut early, b"hello")?;
    dying.report(REPORTED)?;
    dying.kill()?;
    assert!(is_closed_by(&mut early, b"again"));
    dying.report(REPORTED)?;
    Ok(dying)
}

// Shows: filter/docs/failures.md, "stay idle, and are closed at their next byte"
// Shows: filter/docs/operations.md, "`FAIL_CLOSED` (the default of Envoy;"
#[test]
fn a_vm_that_dies_fails_closed() -> Result {
    for (name, policy) in [
        ("vm-closed", fail_closed as fn(&mut Value)),
        ("vm-default", no_policy),
    ] {
        let dying = killed(name, policy)?;
        for _ in 0..3 {
            assert!(!passes(&dying)?, "{name}");
        }
        dying.report(REPORTED)?;
        // No reload was tried, nor put off.
        let stats = dying.mesh.server(SERVICE)?.get("/stats?filter=vm_reload")?;
        assert!(stats.lines().count() > 1, "{stats}");
        assert!(stats.lines().all(|line| line.ends_with(": 0")), "{stats}");
    }
    Ok(())
}

/// Bytes after the failure are not counted, and frames are not removed.
// Shows: filter/docs/failures.md, "pass without the filter: nobody removes a peer's frame"
// Shows: README.md, "frames would reach the application as data"
#[test]
fn a_vm_that_dies_fails_open() -> Result {
    let dying = killed("vm-open", fail_open)?;
    for _ in 0..3 {
        assert!(passes(&dying)?);
    }
    // A frame, or what looks like one, is data now.
    let mut stream = dying.connect()?;
    stream.write_all(b"\x3d\x23\x04\x67\0\0\0\x02\x0a\0")?;
    expect(&mut stream, b"\x3d\x23\x04\x67\0\0\0\x02\x0a\0")?;
    dying.report(REPORTED)?;
    Ok(())
}

/// Without an exchange there is no frame to kill it with: it has a series for each connection
/// instead, until none fits in.
// Shows: filter/docs/failures.md, "pass unchanged: there is no frame to remove"
#[test]
fn a_vm_without_exchange_fails_open() -> Result {
    let configuration = json!({
        "tcp_reporting_duration": "200ms",
        "peer_exchange": { "mode": "off" },
        "limits": { "max_series": 1_000_000 },
        "metrics": [{ "dimensions": { "source_app": "string(connection.id)" } }],
    });
    let dying = Dying::start("vm-off-open", fail_open, configuration)?;
    let mut early = dying.connect()?;
    early.write_all(b"hello")?;
    expect(&mut early, b"hello")?;
    let mut killers = 0;
    while !dying.is_dead()? {
        // The one that it dies of is closed.
        assert!(passes(&dying)? || dying.is_dead()?);
        killers += 1;
    }
    assert!(is_closed_by(&mut early, b"again"));
    let reported = || dying.mesh.reported(Reporter::Destination, SERVICE);
    let at_death = reported()?;
    assert!(at_death.opened > killers / 2 && at_death.opened <= killers + 1);
    for _ in 0..20 {
        assert!(passes(&dying)?);
    }
    assert_eq!(reported()?, at_death);
    Ok(())
}

// Shows: filter/docs/failures.md, "until the backoff ends (a second), then filtered by a new VM"
// Shows: filter/docs/failures.md, "`…_vm_reload` stays 0"
// Shows: filter/docs/operations.md, "VMs started again after a failure"
#[test]
fn a_vm_that_dies_is_reloaded() -> Result {
    let dying = killed("vm-reload", fail_reload)?;
    // Until the backoff is over, new connections are closed.
    poll::until("a new VM", LIMIT, || {
        Ok(match passes(&dying) {
            Ok(true) => Look::Found(()),
            other => Look::NotYet(format!("{other:?}")),
        })
    })?;
    let metrics = dying.mesh.server(SERVICE)?.metrics()?;
    let reloads = |name: &str| metrics.sum(&format!("envoy_wasm_tcp_peer_stats_{name}"), &[]);
    assert_eq!(
        (reloads("vm_reload_success"), reloads("vm_reload")),
        (1.0, 0.0)
    );
    // The new VM continues the counters of the old one. The close that came after the old one
    // failed is lost.
    dying.report(Counts {
        opened: 2,
        closed: 1,
        received: 8,
        sent: 8,
    })?;
    Ok(())
}

/// A filter behind ours whose VM dies at the third data callback.
fn dying_neighbour(bootstrap: &mut Value) {
    let wasm = host_harness::artifact::build("probe-filter", "wasm").unwrap_or_default();
    let probe = json!({
        "name": "probe",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.wasm.v3.Wasm",
            "config": {
                "name": "probe",
                "vm_config": {
                    "vm_id": "probe",
                    "runtime": "envoy.wasm.runtime.v8",
                    "code": { "local": { "filename": wasm } },
                },
                "configuration": {
                    "@type": "type.googleapis.com/google.protobuf.StringValue",
                    "value": "downstream_data#3: trap",
                },
            },
        },
    });
    for filters in chains(bootstrap) {
        filters.insert(filters.len() - 1, probe.clone());
    }
}

// Shows: filter/docs/failures.md, "closed, and this filter counts them like all others"
#[test]
fn the_death_of_another_filter_is_counted_like_any_close() -> Result {
    let fixture = Fixture::with("neighbour", App::start(apps::echo)?, |mesh, service| {
        mesh.client_filter(Filter::Absent)
            .service(service.edit(dying_neighbour))
    })?;
    let (mut first, mut second) = (fixture.connect()?, fixture.connect()?);
    for message in [b"one", b"two"] {
        first.write_all(message)?;
        expect(&mut first, message)?;
    }
    second.write_all(b"idle")?;
    expect(&mut second, b"idle")?;
    assert!(is_closed_by(&mut first, b"three"), "it died of this");
    assert!(is_closed_by(&mut second, b"more"), "it served this as well");
    // The last bytes passed our filter, and the one behind it no more.
    let what = "two connections and their bytes";
    poll::until(what, LIMIT, || {
        let reported = fixture.mesh.reported(Reporter::Destination, SERVICE)?;
        let expected = Counts {
            opened: 2,
            closed: 2,
            received: 19,
            sent: 10,
        };
        Ok(match reported == expected {
            true => Look::Found(()),
            false => Look::NotYet(format!("{reported:?}")),
        })
    })?;
    Ok(())
}
