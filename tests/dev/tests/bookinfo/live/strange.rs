//! Names with markup, unusual graphs and invalid requests.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use mesh::EnvoyBinary;
use mesh::apps::{self, App};
use mesh::testing::{LIMIT, Result};
use mesh::{Mesh, Service};
use mesh::{Scratch, Workload, wasm};
use mesh::{available, prometheus::Prometheus};
use serde_json::json;

use super::page::Page;
use super::{browser, edges, graph, live, scraping};

/// The name of a peer. The filter passes it on, except `=`, which separates labels.
const HOSTILE_PEER: &str = "<script>document.title.big()</script><b>bold</b>";
/// A label that would run a script if it were shown as markup.
const HOSTILE_LABEL: &str = r#"<img src=x onerror="document.title='owned'">"#;

/// One name comes from a peer through the exchange and the server's metrics.
#[test]
fn a_script_in_the_name_of_a_peer_is_shown_as_text() -> Result {
    let scratch = Scratch::new("hostile-name")?;
    let app = App::start(apps::echo)?;
    let mesh = Mesh::builder(&EnvoyBinary::find(None)?, &wasm::build()?)
        // The connection is reported at its close: on a busy machine, labels must not be final
        // before the exchange.
        .configuration(json!({ "tcp_reporting_duration": "1m" }))
        .edit_client(|bootstrap| {
            if let Some(name) = bootstrap.pointer_mut("/node/metadata/WORKLOAD_NAME") {
                *name = json!(HOSTILE_PEER);
            }
        })
        .service(Service::new(
            Workload::bookinfo("app", "v1"),
            7000,
            app.address(),
        ))
        .start(&scratch)?;
    TcpStream::connect(mesh.address("app")?)?.write_all(b"payload")?;
    let others = metrics(&[[HOSTILE_LABEL; 3]])?;
    let target = |address: SocketAddr| json!([{ "targets": [address.to_string()] }]);
    let jobs = json!([
        { "job_name": "others", "metrics_path": "/", "static_configs": target(others.address()) },
        {
            "job_name": "envoy",
            "metrics_path": "/stats/prometheus",
            "static_configs": target(mesh.server("app")?.admin()),
        },
    ]);
    let Some(prometheus) = available(Prometheus::start_with(&scratch, &jobs))? else {
        return Ok(());
    };
    let live = live(&prometheus.url())?;
    graph(&live.url(), |graph| {
        let sources = edges(graph).iter().map(|edge| &edge["source"]);
        sources.collect::<Vec<_>>() == [HOSTILE_LABEL, HOSTILE_PEER]
    })?;

    let Some(browser) = browser(&scratch)? else {
        return Ok(());
    };
    let page = Page::read(&browser.document(&live.url())?);
    assert_eq!(page.title, "Live mesh · tcp-peer-stats");
    let names = [HOSTILE_LABEL, HOSTILE_PEER, "app-v1"];
    assert_eq!(page.nodes, names.map(str::to_owned).into());
    let text = page.without_attributes();
    assert!(!text.contains("<img") && !text.contains("<b>"), "{text}");
    assert_eq!(text.matches("<script").count(), 1, "{text}");
    Ok(())
}

// Shows: filter/docs/observability.md, "What a Prometheus that does not answer any more said last stays on the page"
#[test]
fn circles_and_parallel_links_are_drawn_and_a_silent_prometheus_is_named() -> Result {
    let scratch = Scratch::new("circles")?;
    let links = [
        ["a", "b", "s"],
        ["b", "c", "s"],
        ["c", "a", "s"],
        ["a", "c", "one"],
        ["a", "c", "two"],
        ["d", "d", "s"],
    ];
    let circles = metrics(&links)?;
    let Some(prometheus) = scraping(&scratch, &[&circles])? else {
        return Ok(());
    };
    let live = live(&prometheus.url())?;
    graph(&live.url(), |graph| edges(graph).len() == links.len())?;

    let Some(browser) = browser(&scratch)? else {
        return Ok(());
    };
    let page = Page::read(&browser.document(&live.url())?);
    assert_eq!(page.rows.len(), links.len());
    let drawn: BTreeSet<_> = links.map(|link| link.map(str::to_owned)).into();
    assert_eq!(page.links, drawn);
    assert_eq!(page.nodes, ["a", "b", "c", "d"].map(str::to_owned).into());
    assert!(
        page.status.starts_with("Live: 4 sidecars, from "),
        "{page:?}"
    );

    // What was seen before stays.
    let url = prometheus.url();
    drop(prometheus);
    let silent = graph(&live.url(), |graph| graph["error"].is_string())?;
    assert_eq!(edges(&silent).len(), links.len());
    let page = Page::read(&browser.document(&live.url())?);
    let status = format!("Not live: no Prometheus answers at {url}: ");
    assert!(page.status.starts_with(&status), "{page:?}");
    assert_eq!(page.links, drawn);
    Ok(())
}

/// Serves metrics with these links: source, destination, service.
fn metrics(links: &[[&str; 3]]) -> Result<App> {
    let lines = links.iter().map(|[source, destination, service]| {
        format!(
            "istio_tcp_sent_bytes_total{{reporter=\"source\",source_workload={source:?},\
             destination_workload={destination:?},destination_service_name={service:?}}} 1\n"
        )
    });
    metrics_of(lines.collect())
}

/// Serves these metrics.
pub(super) fn metrics_of(text: String) -> Result<App> {
    Ok(App::start(move |mut stream: &TcpStream| {
        let _request = stream.read(&mut [0; 4096])?;
        let length = text.len();
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: text/plain\r\n";
        stream.write_all(format!("{head}Content-Length: {length}\r\n\r\n{text}").as_bytes())
    })?)
}

#[test]
fn requests_for_other_hosts_paths_and_methods_are_refused() -> Result {
    let scratch = Scratch::new("requests")?;
    let link = metrics(&[["a", "b", "s"]])?;
    let Some(prometheus) = scraping(&scratch, &[&link])? else {
        return Ok(());
    };
    let live = live(&prometheus.url())?;
    let status = |request: &str| -> Result<String> {
        let mut stream = TcpStream::connect(live.address())?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        assert!(
            answer.contains("Content-Security-Policy: default-src 'none'"),
            "{answer}"
        );
        Ok(answer.split("\r\n").next().unwrap_or_default().to_owned())
    };
    let port = live.address().port();
    for (request, answer) in [
        (
            format!("GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
            "200 OK",
        ),
        (
            format!("GET /graph.json?x HTTP/1.1\r\nhost: localhost:{port}\r\n\r\n"),
            "200 OK",
        ),
        (
            format!("GET /nothing HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "404 Not Found",
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"),
            "421 Misdirected Request",
        ),
        (
            format!("POST / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"),
            "405 Method Not Allowed",
        ),
    ] {
        let found = status(&request)?;
        assert!(found.ends_with(answer), "{request:?}: {found}");
    }
    Ok(())
}
