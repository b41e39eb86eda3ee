//! The command with any Prometheus.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

use mesh::Scratch;
use mesh::apps::App;
use mesh::testing::Result;
use serde_json::{Value, json};

use super::page::Page;
use super::strange::metrics_of;
use super::{PRECISION, browser, edges, graph, live, scraping, seconds};

const LIVE: &str = env!("CARGO_BIN_EXE_live");

/// A mesh with Istio's own filters: two namespaces, and no metrics of the exchange.
const ISTIO: &str = concat!(
    r#"istio_tcp_connections_opened_total{reporter="source",source_workload="shop",source_workload_namespace="x",destination_workload="db",destination_workload_namespace="x",destination_service_name="db",connection_security_policy="unknown",response_flags="-"} 5"#,
    "\n",
    r#"istio_tcp_connections_closed_total{reporter="source",source_workload="shop",source_workload_namespace="x",destination_workload="db",destination_workload_namespace="x",destination_service_name="db",connection_security_policy="unknown",response_flags="-"} 3"#,
    "\n",
    r#"istio_tcp_connections_opened_total{reporter="destination",source_workload="shop",source_workload_namespace="y",destination_workload="db",destination_workload_namespace="x",destination_service_name="db",connection_security_policy="mutual_tls",response_flags="-"} 7"#,
    "\n",
    r#"istio_tcp_sent_bytes_total{reporter="source",source_workload="shop",source_workload_namespace="x",destination_workload="unknown",destination_workload_namespace="unknown",destination_service_name="PassthroughCluster",connection_security_policy="unknown",response_flags="UF"} 9"#,
    "\n",
);

// Shows: filter/docs/observability.md, "so it shows any mesh with these metrics, also one with Istio's own filters"
// Shows: filter/docs/observability.md, "with their namespaces if there are several"
#[test]
fn a_mesh_without_this_filter_is_shown_with_its_namespaces_and_ages() -> Result {
    let scratch = Scratch::new("any-mesh")?;
    let began = seconds()?;
    let istio = metrics_of(ISTIO.to_owned())?;
    let Some(prometheus) = scraping(&scratch, &[&istio])? else {
        return Ok(());
    };
    // The page of the command, which has a path after the host and port of Prometheus.
    drop(live(&prometheus.url())?);
    let mut command = Command::new(LIVE);
    command.args([
        "--prometheus",
        &format!("{}/", prometheus.url()),
        "--window",
        "8",
    ]);
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let mut url = String::new();
    let output = child.stdout.take().ok_or("no output")?;
    BufReader::new(output).read_line(&mut url)?;
    let url = url.trim();
    let shown = graph(url, |graph| edges(graph).len() == 3).map(|shown| {
        let page = browser(&scratch)
            .and_then(|it| it.map(|it| Ok(Page::read(&it.document(url)?))).transpose());
        (shown, page)
    });
    child.kill()?;
    child.wait()?;
    let (shown, page) = shown?;
    let of = |edge: &Value| {
        ["source", "destination", "security", "flags", "open"].map(|name| edge[name].clone())
    };
    let expected = [
        json!(["shop.x", "PassthroughCluster", "unknown", "UF", 0]),
        json!(["shop.x", "db.x", "unknown", "-", 2]),
        json!(["shop.y", "db.x", "mutual_tls", "-", 7]),
    ];
    let links: Vec<_> = edges(&shown).iter().map(|edge| json!(of(edge))).collect();
    assert_eq!(links, expected);
    assert_eq!(shown["sidecars"], json!(["db.x", "shop.x"]));
    assert_eq!(
        shown["exchange"],
        json!({ "results": {}, "exchanged": null, "unanswered": 0.0 })
    );
    for edge in edges(&shown).iter().skip(1) {
        let since = edge["since"].as_f64().ok_or("no time")?;
        assert!(began - PRECISION <= since && since <= seconds()?, "{edge}");
        assert_eq!(edge["is_older"], false);
    }
    if let Some(page) = page? {
        assert!(
            page.status
                .starts_with("Live: 2 sidecars, from http://127.0.0.1:"),
            "{page:?}"
        );
        let exchange = "Peer exchange: no metrics of it. Istio's own exchange has none.";
        assert_eq!(page.exchange, exchange);
    }
    Ok(())
}

/// What the command prints for a URL.
fn refusal(url: &str) -> Result<String> {
    let output = Command::new(LIVE).args(["--prometheus", url]).output()?;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty());
    Ok(String::from_utf8(output.stderr)?)
}

#[test]
fn what_is_no_prometheus_of_a_mesh_is_named_with_the_remedy() -> Result {
    let remedy = "Give the URL under which its own pages are, such as http://localhost:9090 after `kubectl --namespace istio-system port-forward service/prometheus 9090`";
    // No process listens on port 1.
    let text = refusal("http://127.0.0.1:1")?;
    assert!(
        text.starts_with("error: no Prometheus answers at http://127.0.0.1:1: "),
        "{text}"
    );
    assert!(text.contains("refused") && text.contains(remedy), "{text}");

    let other = metrics_of("hello\n".to_owned())?;
    let url = format!("http://{}", other.address());
    let text = refusal(&url)?;
    let expected = format!(
        "error: no Prometheus answers at {url}: its answer is not that of a Prometheus. {remedy}"
    );
    assert!(text.starts_with(&expected), "{text}");

    let missing = App::start(|mut stream: &TcpStream| {
        let _request = stream.read(&mut [0; 4096])?;
        stream
            .write_all(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
    })?;
    let url = format!("http://{}", missing.address());
    let text = refusal(&url)?;
    let expected = format!("error: no Prometheus answers at {url}: http status: 404. {remedy}");
    assert!(text.starts_with(&expected), "{text}");

    let text = refusal("https://127.0.0.1:1")?;
    assert!(
        text.starts_with("error: no Prometheus answers at https://127.0.0.1:1: "),
        "{text}"
    );
    assert!(text.contains(remedy), "{text}");

    let scratch = Scratch::new("no-mesh")?;
    let Some(prometheus) = scraping(&scratch, &[&other])? else {
        return Ok(());
    };
    let url = prometheus.url();
    let text = refusal(&url)?;
    let expected = format!(
        "error: the Prometheus at {url} has no series istio_tcp_…_total. Check under {url}/targets that it scrapes the sidecars, "
    );
    assert!(text.starts_with(&expected), "{text}");
    Ok(())
}
