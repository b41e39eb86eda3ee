//! The sidecars of a client and a server.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::Serialize;
use serde_json::{Value, json};

use super::load::Load;
use mesh::envoy::Envoy;
use mesh::error::{Context, Error, Result};
use mesh::labels::Reporter;
use mesh::poll::{self, Look};
use mesh::{Counts, EnvoyBinary, Filter, Hop, Mesh, Scratch, Service, Workload};

const PORT: u16 = 7000;
const SETTLE_LIMIT: Duration = Duration::from_secs(120);
/// Far more than the default of 1024 connections to a cluster.
const BREAKER: u32 = 1_000_000;

/// The service's name.
const SERVICE: &str = "soak";

/// Two sidecars without taps.
#[derive(Debug)]
pub(crate) struct Pair {
    mesh: Mesh,
    address: SocketAddr,
    _scratch: Scratch,
}

/// The memory of an Envoy.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// Resident memory in bytes, guests included.
    pub resident: u64,
    /// Allocated bytes of its heap, without guests.
    pub heap: u64,
    /// Number of Wasm VMs.
    pub vms: u64,
}

/// How the sidecars of a pair run.
#[derive(Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) hop: Hop,
    /// The worker threads of each.
    pub(crate) workers: u32,
    /// Changes both bootstraps.
    pub(crate) edit: fn(&mut Value),
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            hop: Hop::Mesh,
            workers: 1,
            edit: |_| {},
        }
    }
}

impl Pair {
    /// Starts both sidecars with a filter, or without one if `configuration` is `None`. Each
    /// configuration names the reporter of its side, as in `envoy-config/istio`.
    pub(crate) fn start(
        binary: &EnvoyBinary,
        wasm: &Path,
        configuration: Option<&Value>,
        application: SocketAddr,
        setup: Setup,
    ) -> Result<Self> {
        let filter = |reporter| match configuration {
            Some(value) => Filter::Configured(with_reporter(value, reporter)),
            None => Filter::Absent,
        };
        let filters = ["SOURCE", "DESTINATION"].map(filter);
        Self::start_with(binary, wasm, filters, application, setup)
    }

    /// Starts both sidecars with these filters, the client's first.
    pub(crate) fn start_with(
        binary: &EnvoyBinary,
        wasm: &Path,
        [client, server]: [Filter; 2],
        application: SocketAddr,
        setup: Setup,
    ) -> Result<Self> {
        let Setup { hop, workers, edit } = setup;
        let scratch = Scratch::new("pair")?;
        let edit_both = move |bootstrap: &mut Value| {
            open_breakers(bootstrap);
            edit(bootstrap);
        };
        let service = Service::new(Workload::bookinfo(SERVICE, "v1"), PORT, application)
            .hop(hop)
            .filter(server)
            .edit(edit_both);
        let mesh = Mesh::builder(binary, wasm)
            .client_filter(client)
            .edit_client(edit_both)
            .concurrency(workers)
            .service(service)
            .without_taps()
            .start(&scratch)?;
        let address = mesh.address(SERVICE)?;
        Ok(Self {
            mesh,
            address,
            _scratch: scratch,
        })
    }

    /// The address for clients.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The counts of a sidecar's filter.
    pub(crate) fn reported(&self, reporter: Reporter) -> Result<Counts> {
        let metrics = self.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        Ok(Counts::reported(
            &metrics,
            &[("reporter", reporter.as_str())],
        ))
    }

    /// The number of exchanges of a sidecar that brought the peer's metadata.
    pub(super) fn exchanged(&self, reporter: Reporter) -> Result<u64> {
        let metrics = self.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        Ok(metrics.sum("istio_tcp_peer_exchange_total", &[("result", "exchanged")]) as u64)
    }

    /// The number of open connections of a sidecar's Envoy.
    pub(super) fn open(&self, reporter: Reporter) -> Result<u64> {
        let metrics = self.mesh.sidecar(reporter, SERVICE)?.metrics()?;
        Ok(metrics.sum("envoy_cluster_upstream_cx_active", &[]) as u64)
    }

    /// Waits until the counts of both filters are equal to those of the applications, and returns
    /// them. If they are not, the report shows it.
    pub(super) fn settled(&self, load: &Load) -> Result<Counts> {
        let settled = poll::until("equal counts", SETTLE_LIMIT, || {
            let seen = load.counts();
            for reporter in Reporter::BOTH {
                let exchanged = self.exchanged(reporter)?;
                let reported = self.reported(reporter)?;
                if reported != seen || exchanged != seen.opened {
                    // The scrapes are large, and the machine is busy.
                    std::thread::sleep(Duration::from_millis(200));
                    return Ok(Look::NotYet(format!(
                        "{reporter} {reported:?}, {exchanged} exchanged, seen {seen:?}"
                    )));
                }
            }
            Ok(Look::Found(seen))
        });
        match settled {
            Err(error) if error.is_timeout() => {
                eprintln!("soak: {error}");
                Ok(load.counts())
            }
            settled => settled,
        }
    }

    /// The client's and the server's Envoy.
    pub(crate) fn both(&self) -> Result<[&Envoy; 2]> {
        Ok([self.mesh.client(), self.mesh.server(SERVICE)?])
    }

    /// The memory of the client's and the server's Envoy.
    pub(crate) fn memory(&self) -> Result<[Memory; 2]> {
        let [client, server] = self.both()?;
        Ok([memory(client)?, memory(server)?])
    }
}

/// Raises the limit of open files to the system's maximum. Every process needs two per connection.
pub(crate) fn raise_file_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    let _refused = setrlimit(Resource::Nofile, raised);
}

fn open_breakers(bootstrap: &mut Value) {
    let clusters = bootstrap.pointer_mut("/static_resources/clusters");
    for cluster in clusters.and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(cluster) = cluster.as_object_mut() {
            let threshold = json!({ "max_connections": BREAKER, "max_pending_requests": BREAKER });
            cluster.insert(
                "circuit_breakers".into(),
                json!({ "thresholds": [threshold] }),
            );
        }
    }
}

fn with_reporter(configuration: &Value, reporter: &str) -> Value {
    let mut own = configuration.clone();
    if let Some(keys) = own.as_object_mut() {
        keys.insert("reporter".into(), json!(reporter));
    }
    own
}

fn memory(envoy: &Envoy) -> Result<Memory> {
    let file = format!("/proc/{}/status", envoy.id());
    let status = fs::read_to_string(&file).context(|| format!("cannot read {file}"))?;
    let resident = status
        .lines()
        .find_map(|line| {
            line.strip_prefix("VmRSS:")?
                .split_whitespace()
                .next()?
                .parse()
                .ok()
        })
        .map(|kibibytes: u64| kibibytes * 1024)
        .ok_or_else(|| Error::malformed(file, "no VmRSS"))?;
    let text = envoy.get("/memory")?;
    let heap = serde_json::from_str(&text)
        .ok()
        .and_then(|document: Value| document.get("allocated")?.as_str()?.parse().ok())
        .ok_or_else(|| Error::malformed("Envoy's /memory", text))?;
    let text = envoy.get("/stats?filter=wasm.*runtime.*active")?;
    let active = text
        .lines()
        .filter_map(|line| line.rsplit_once(": ")?.1.parse::<u64>().ok());
    Ok(Memory {
        resident,
        heap,
        vms: active.sum(),
    })
}
