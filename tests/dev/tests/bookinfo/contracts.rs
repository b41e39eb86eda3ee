//! One topology with traffic, and its metrics in Kiali, Grafana and Prometheus.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use mesh::exposition::Series;
use mesh::labels::METRICS;
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::testing::Result;
use mesh::topology::{self, BOOKINFO, Topology};
use mesh::{EnvoyBinary, Mesh, Scratch, available, wasm};

use crate::bookinfo::kiali::{self, Rate};
use crate::bookinfo::trouble::Trouble;
use crate::bookinfo::{dashboard, docs, grafana, rules};

/// Prometheus scrapes several times before all rates have values.
const SCRAPES: Duration = Duration::from_secs(40);

/// Kiali's graph of the namespace `default`. It has no edge to the black hole, as in Istio: the
/// edge has no bytes, and Kiali draws edges from bytes.
const EDGES: [&str; 9] = [
    "unknown.unknown@unknown -> productpage.default.svc.cluster.local -> productpage-v1.default@Kubernetes",
    "productpage-v1.default@Kubernetes -> details.default.svc.cluster.local -> details-v1.default@Kubernetes",
    "productpage-v1.default@Kubernetes -> reviews.default.svc.cluster.local -> reviews-v3.default@Kubernetes",
    "productpage-v1.default@Kubernetes -> unknown -> PassthroughCluster.unknown@unknown",
    "details-v1.default@Kubernetes -> mysqldb.default.svc.cluster.local -> mysqldb-v1.default@Kubernetes",
    "details-v1.default@Kubernetes -> books.example.com -> books.example.com.default@Kubernetes",
    "reviews-v3.default@Kubernetes -> ratings.default.svc.cluster.local -> ratings-v2.default@Kubernetes",
    "ratings-v2.default@Kubernetes -> mongodb.default.svc.cluster.local -> mongodb-v1.default@Kubernetes",
    "ratings-v2.default@Kubernetes -> mysqldb.default.svc.cluster.local -> mysqldb-v1.default@Kubernetes",
];

/// One run for all tools: the start of six Envoys takes longer than all queries. Every sidecar has
/// listeners of both directions in one VM, and two workers.
#[test]
fn kiali_grafana_and_prometheus_show_the_metrics_as_with_istio() -> Result {
    let scratch = Scratch::new("contracts")?;
    let topology = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
        .concurrency(2)
        .start_topology(&BOOKINFO, &scratch, |_| Ok(()))?;
    let trouble = Trouble::start(&scratch)?;
    let sidecars = topology.sidecars().chain(trouble.sidecars());
    let prometheus = available(Prometheus::start(&scratch, sidecars))?;
    let mut faults = Vec::new();
    if let Some(prometheus) = &prometheus {
        // Rates need continuous traffic.
        let enough = AtomicBool::new(false);
        thread::scope(|scope| -> Result {
            let visitor = scope.spawn(|| visit_until(&topology, &trouble, &enough));
            let found = settle(|| {
                let mut faults = in_kiali(prometheus)?;
                faults.extend(in_grafana(prometheus)?);
                faults.extend(named("our dashboard", dashboard::faults(prometheus)?));
                faults.extend(named("our rules", rules::faults(prometheus)?));
                faults.extend(named("our documentation", docs::faults(prometheus)?));
                Ok(faults)
            });
            enough.store(true, Ordering::Relaxed);
            faults.extend(visitor.join().expect("the visitor panicked"));
            faults.extend(found?);
            Ok(())
        })?;
    } else {
        topology.visit("once")?;
    }
    faults.extend(in_the_expositions(&topology)?);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

fn visit_until(topology: &Topology, trouble: &Trouble, enough: &AtomicBool) -> Option<String> {
    for number in 1.. {
        if enough.load(Ordering::Relaxed) {
            break;
        }
        if let Err(error) = topology.visit(&format!("GET /productpage?u={number}")) {
            return Some(format!("visit {number}: {error}"));
        }
        if let Err(error) = trouble.stir() {
            return Some(format!("no trouble: {error}"));
        }
        thread::sleep(Duration::from_millis(50));
    }
    None
}

/// Kiali has every edge, drops none, no series contradicts another, and clients send fewer bytes
/// than they receive, as the applications do.
fn in_kiali(prometheus: &Prometheus) -> Result<Vec<String>> {
    let wanted: BTreeSet<_> = EDGES.map(str::to_owned).into();
    let draw = |rate| -> mesh::Result<kiali::Graph> {
        let mut answers: Vec<Series> = Vec::new();
        for query in kiali::queries(rate, "default", 60) {
            answers.extend(prometheus.query(&query)?);
        }
        Ok(kiali::graph(&answers))
    };
    let (sent, received) = (draw(Rate::Sent)?, draw(Rate::Received)?);
    let mut faults = sent.faults(&wanted);
    faults.extend(received.faults(&wanted));
    for (edge, sent) in &sent.edges {
        let received = received.edges.get(edge).copied().unwrap_or_default();
        // Every answer has more than ten times the bytes of its request.
        if sent * 5.0 > received {
            faults.push(format!("{edge} sends {sent} and receives {received} B/s"));
        }
    }
    Ok(named("Kiali", faults))
}

fn in_grafana(prometheus: &Prometheus) -> Result<Vec<String>> {
    Ok(named("Grafana", grafana::faults(prometheus)?))
}

fn named(tool: &str, faults: Vec<String>) -> Vec<String> {
    let named = faults.into_iter().map(|fault| format!("{tool}: {fault}"));
    named.collect()
}

/// No sidecar has two series with the same name and labels, and no series of the filter has an
/// empty label.
fn in_the_expositions(topology: &Topology) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let scrape = match topology.settled() {
        Err(error) if error.is_timeout() => {
            faults.push(error.to_string());
            topology.scrape()?
        }
        other => other?,
    };
    for (sidecar, metrics) in &scrape {
        let twice = metrics.duplicates().into_iter();
        faults.extend(twice.map(|series| format!("{sidecar} has {series} twice")));
        let mut count = 0;
        for series in METRICS.iter().flat_map(|name| metrics.named(name)) {
            count += 1;
            if series.labels.len() != 23 || series.labels.values().any(String::is_empty) {
                faults.push(format!("{sidecar} has {series}"));
            }
        }
        if count == 0 {
            faults.push(format!("{sidecar} has none of the four metrics"));
        }
    }
    let edges = topology::Graph::read(topology::all(&scrape)).edges.len();
    if edges != topology.edges().len() {
        faults.push(format!("the expositions have {edges} edges"));
    }
    Ok(faults)
}

/// Calls `look` until it finds no fault, at most for [`SCRAPES`].
fn settle(mut look: impl FnMut() -> Result<Vec<String>>) -> Result<Vec<String>> {
    let mut last = Ok(Vec::new());
    let settled = poll::until("no fault", SCRAPES, || {
        last = look();
        Ok(match &last {
            Ok(faults) if !faults.is_empty() => Look::NotYet(String::new()),
            _ => Look::Found(()),
        })
    });
    match settled {
        Err(error) if !error.is_timeout() => Err(error.into()),
        _ => last,
    }
}
