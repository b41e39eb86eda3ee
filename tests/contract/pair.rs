//! A client's and a server's sidecar, and their expected reports.

use std::io::{Read, Write};
use std::net::TcpStream;

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::envoy::Envoy;
use mesh::exposition::Labels;
use mesh::labels::{METRICS, Reporter};
use mesh::poll::{self, Look};
use mesh::testing::{LIMIT, Result};
use mesh::{Builder, Counts, Filter, Mesh, Service};
use mesh::{Scratch, Workload, wasm};
use serde_json::{Value, json};

/// The one cluster and the one listener of a bootstrap.
pub(crate) const CLUSTER: &str = "/static_resources/clusters/0";
pub(crate) const LISTENER: &str = "/static_resources/listeners/0";

/// The one host of a cluster.
pub(crate) const ENDPOINT: &str = "/load_assignment/endpoints/0/lb_endpoints/0";

/// A client and a service that it calls.
pub(crate) struct Pair {
    mesh: Mesh,
    service: String,
    _app: App,
    _scratch: Scratch,
}

impl Pair {
    /// `web-v2` calls the service `db`, which answers every line with `hello <line>`. The two share
    /// no value, so that no label can have another's value.
    ///
    /// `shape` changes the sidecars. An edit of a bootstrap must call [`web`] or [`db`] first.
    pub(crate) fn start(
        name: &str,
        shape: impl FnOnce(Builder, Service) -> Builder,
    ) -> Result<Self> {
        Self::in_front_of(name, App::start(apps::hello)?, shape)
    }

    /// The same in front of another application.
    pub(crate) fn in_front_of(
        name: &str,
        app: App,
        shape: impl FnOnce(Builder, Service) -> Builder,
    ) -> Result<Self> {
        let client = workload("web-v2", "shop", "web", "east");
        let server = workload("db-v1", "data", "db", "west");
        Self::between(name, client, server, app, |mesh, service| {
            shape(mesh.edit_client(web), service.edit(db))
        })
    }

    /// `client` calls `app`, which is the service named like the server's app.
    pub(crate) fn between(
        name: &str,
        client: Workload,
        server: Workload,
        app: App,
        shape: impl FnOnce(Builder, Service) -> Builder,
    ) -> Result<Self> {
        let scratch = Scratch::new(name)?;
        let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?);
        let mesh = mesh.in_shared_envoys().client(client);
        let name = server.app.clone();
        let service = Service::new(server, 7000, app.address());
        Ok(Self {
            mesh: shape(mesh, service).start(&scratch)?,
            service: name,
            _app: app,
            _scratch: scratch,
        })
    }

    pub(crate) fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.mesh.address(&self.service)?)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    }

    pub(crate) fn sidecar(&self, reporter: Reporter) -> Result<&Envoy> {
        Ok(self.mesh.sidecar(reporter, &self.service)?)
    }

    /// Two conversations, one of which stays open, reported under these label sets, and under no
    /// other.
    ///
    /// The four counts differ (2, 1, 12 and 24), so none can have another's value.
    pub(crate) fn reports(&self, expected: &[Labels]) -> Result {
        let open = greet(self.connect()?)?;
        drop(greet(self.connect()?)?);
        let mut counts = Counts {
            opened: 2,
            closed: 1,
            received: 12,
            sent: 24,
        };
        self.check(expected, counts)?;
        drop(open);
        counts.closed = 2;
        self.check(expected, counts)
    }

    /// A connection that the client's sidecar ends before a byte has passed.
    pub(crate) fn fails(&self, expected: &[Labels]) -> Result {
        let mut stream = self.connect()?;
        // The end, or a reset.
        let _ended = stream.read(&mut [0; 1]);
        let counts = Counts {
            opened: 1,
            closed: 1,
            ..Counts::default()
        };
        self.check(expected, counts)
    }

    /// Waits until each label set's reporter reports these counts in one series a metric, and
    /// nothing else.
    pub(crate) fn check(&self, expected: &[Labels], counts: Counts) -> Result {
        for labels in expected {
            let reporter = match labels["reporter"].as_str() {
                "source" => Reporter::Source,
                _ => Reporter::Destination,
            };
            check(self.sidecar(reporter)?, labels, counts)?;
        }
        Ok(())
    }
}

/// Waits until an Envoy reports these counts, whatever the labels, then expects them in exactly one
/// series a metric, with exactly these labels.
fn check(envoy: &Envoy, labels: &Labels, counts: Counts) -> Result {
    let metrics = poll::until(&format!("{counts:?} of {}", envoy.name()), LIMIT, || {
        let metrics = envoy.metrics()?;
        let reported = Counts::reported(&metrics, &[]);
        // A metric of value 0 may not be defined yet when the others are.
        let is_whole = METRICS
            .iter()
            .all(|metric| metrics.named(metric).next().is_some());
        Ok(if reported == counts && is_whole {
            Look::Found(metrics)
        } else {
            Look::NotYet(format!("{reported:?}"))
        })
    })?;
    for metric in METRICS {
        let series: Vec<_> = metrics.named(metric).map(|series| &series.labels).collect();
        assert_eq!(series, [labels], "{metric} of {}", envoy.name());
    }
    assert!(
        metrics.duplicates().is_empty(),
        "{:?}",
        metrics.duplicates()
    );
    Ok(())
}

/// Sends `world` and reads `hello world`.
pub(crate) fn greet(mut stream: TcpStream) -> Result<TcpStream> {
    stream.write_all(b"world\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    assert_eq!(&answer, b"hello world\n");
    Ok(stream)
}

/// A filter in this mode of peer exchange.
pub(crate) fn mode(mode: &str) -> Filter {
    Filter::Configured(json!({
        "tcp_reporting_duration": "500ms",
        "peer_exchange": { "mode": mode },
    }))
}

/// The client's bootstrap: its canonical service is not its app, and the server's is not either.
pub(crate) fn web(bootstrap: &mut Value) {
    canonical(bootstrap, "storefront", "r2");
    let endpoint = at(
        bootstrap,
        &format!("{CLUSTER}{ENDPOINT}/metadata/filter_metadata"),
    );
    if let Some(istio) = endpoint.get_mut("istio") {
        *istio = json!({ "workload": "db-v1;data;database;r1;west" });
    }
}

/// The server's bootstrap.
pub(crate) fn db(bootstrap: &mut Value) {
    canonical(bootstrap, "database", "r1");
}

/// Renames the one cluster.
pub(crate) fn route_to(bootstrap: &mut Value, name: &str) {
    let cluster = at(bootstrap, CLUSTER);
    let before = cluster["name"].take();
    cluster["name"] = json!(name);
    if let Some(assignment) = cluster.get_mut("load_assignment") {
        assignment["cluster_name"] = json!(name);
    }
    let chains = at(bootstrap, LISTENER)["filter_chains"].as_array_mut();
    for chain in chains.into_iter().flatten() {
        let filters = chain["filters"].as_array_mut().unwrap();
        filters.last_mut().unwrap()["typed_config"]["cluster"] = json!(name);
        // The filter's configuration lists it.
        for filter in filters {
            let listing = filter.pointer_mut("/typed_config/config/configuration/value");
            if let (Some(listing), Some(before)) = (listing, before.as_str()) {
                let text = listing.as_str().unwrap_or_default().replace(before, name);
                *listing = json!(text);
            }
        }
    }
}

/// Makes the one cluster use the connection's original destination, which is the server's address.
/// In a pod iptables and the listener filter `original_dst` set it; here a filter state does.
pub(crate) fn to_original_destination(bootstrap: &mut Value) {
    let cluster = at(bootstrap, CLUSTER);
    let socket = cluster
        .pointer(&format!("{ENDPOINT}/endpoint/address/socket_address"))
        .unwrap();
    let (ip, port) = (socket["address"].as_str().unwrap(), &socket["port_value"]);
    let address = format!("{ip}:{port}");
    cluster["type"] = json!("ORIGINAL_DST");
    cluster["lb_policy"] = json!("CLUSTER_PROVIDED");
    cluster.as_object_mut().unwrap().remove("load_assignment");
    let filters = at(bootstrap, &format!("{LISTENER}/filter_chains/0/filters")).as_array_mut();
    filters.unwrap().insert(0, json!({
        "name": "original_dst",
        "typed_config": {
            "@type": "type.googleapis.com/envoy.extensions.filters.network.set_filter_state.v3.Config",
            "on_new_connection": [{
                "object_key": "envoy.network.transport_socket.original_dst_address",
                "format_string": { "text_format_source": { "inline_string": address } },
            }],
        },
    }));
}

/// The value at a pointer of a bootstrap.
pub(crate) fn at<'a>(bootstrap: &'a mut Value, pointer: &str) -> &'a mut Value {
    let found = bootstrap.pointer_mut(pointer);
    found.unwrap_or_else(|| panic!("the bootstrap has no {pointer}"))
}

/// Sets a node's canonical service and revision.
pub(crate) fn canonical(bootstrap: &mut Value, service: &str, revision: &str) {
    let labels = at(bootstrap, "/node/metadata/LABELS");
    labels["service.istio.io/canonical-name"] = json!(service);
    labels["service.istio.io/canonical-revision"] = json!(revision);
}

fn workload(name: &str, namespace: &str, app: &str, cluster: &str) -> Workload {
    let (_, version) = name.split_once('-').unwrap_or_default();
    Workload {
        name: name.into(),
        namespace: namespace.into(),
        app: app.into(),
        version: version.into(),
        service_account: format!("{app}-account"),
        cluster_id: cluster.into(),
    }
}
