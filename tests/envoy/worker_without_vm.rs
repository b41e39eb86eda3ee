//! A worker gets no VM: Envoy has too few addresses for all of them.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::apps::{self, App};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{EnvoyBinary, Filter, Mesh, Scratch, Service, Workload, wasm};
use serde_json::{Value, json};

use crate::failure::{fail_closed, fail_open, fail_reload};
use crate::fixture::SERVICE;

const WORKERS: u32 = 2;
/// Envoy's VMs of a module: one of each worker, one of the main thread and one to clone.
const VMS: u32 = WORKERS + 2;
/// V8 reserves some 10 GB of addresses for each VM: enough for three of them.
const ADDRESSES: &str = "--as=36000000000";
const CONNECTIONS: u64 = 60;
/// Envoy's log line for a worker without a VM.
const FAILED: &str = "Failed to create new Wasm instance";
const ACTIVE: &str = "envoy_wasm_envoy_wasm_runtime_v8_active";

/// A service whose sidecar has had connections, which were all answered.
struct Served {
    mesh: Mesh,
    /// The number of connections that its filter counted.
    counted: u64,
    _scratch: Scratch,
}

fn serve(name: &str, policy: fn(&mut Value), binary: &EnvoyBinary) -> Result<Served> {
    let scratch = Scratch::new(name)?;
    let app = App::start(apps::echo)?;
    let service = Service::new(Workload::bookinfo(SERVICE, "v1"), 7000, app.address());
    let mesh = Mesh::builder(binary, &wasm::build()?)
        .configuration(json!({ "tcp_reporting_duration": "200ms" }))
        .client_filter(Filter::Absent)
        .concurrency(WORKERS)
        .service(service.edit(policy))
        .start(&scratch)?;
    for _ in 0..CONNECTIONS {
        let mut stream = TcpStream::connect(mesh.address(SERVICE)?)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(b"hello")?;
        let mut answer = [0; 5];
        stream.read_exact(&mut answer)?;
        assert_eq!(&answer, b"hello", "{name}");
    }
    let counted = poll::until("reports", LIMIT, || {
        let reported = mesh.reported(Reporter::Destination, SERVICE)?;
        let is_settled = reported.opened > 0 && reported.closed == reported.opened;
        Ok(match is_settled {
            true => Look::Found(reported.closed),
            false => Look::NotYet(format!("{reported:?}")),
        })
    })?;
    let metrics = mesh.server(SERVICE)?.metrics()?;
    assert_eq!(
        metrics.sum("envoy_server_concurrency", &[]),
        f64::from(WORKERS)
    );
    Ok(Served {
        mesh,
        counted,
        _scratch: scratch,
    })
}

impl Served {
    fn vms(&self) -> Result<f64> {
        Ok(self.mesh.server(SERVICE)?.metrics()?.sum(ACTIVE, &[]))
    }
}

// Shows: filter/docs/failures.md, "pass without the filter, whatever the policy"
#[test]
fn connections_of_a_worker_without_a_vm_pass_unseen() -> Result {
    let binary = EnvoyBinary::find(None)?.under(vec!["prlimit".into(), ADDRESSES.into()]);
    for (name, policy) in [
        ("no-vm-closed", fail_closed as fn(&mut Value)),
        ("no-vm-open", fail_open),
        ("no-vm-reload", fail_reload),
    ] {
        let served = serve(name, policy, &binary)?;
        assert!(served.counted < CONNECTIONS, "{name}: {}", served.counted);
        assert_eq!(served.vms()?, f64::from(VMS - 1), "{name}");
        let server = served.mesh.server(SERVICE)?;
        assert!(server.log_text()?.contains(FAILED), "{name}");
        let stats = server.get("/stats?filter=vm_reload")?;
        assert!(stats.lines().all(|line| line.ends_with(": 0")), "{stats}");
    }
    Ok(())
}

// Shows: filter/docs/failures.md, "a VM of each worker and two more"
#[test]
fn a_worker_has_a_vm_where_there_are_enough_addresses() -> Result {
    let served = serve("all-vms", fail_reload, &EnvoyBinary::find(None)?)?;
    assert_eq!(served.counted, CONNECTIONS);
    assert_eq!(served.vms()?, f64::from(VMS));
    Ok(())
}
