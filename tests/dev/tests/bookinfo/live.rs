//! The live page in a real browser.

mod any_mesh;
mod measured;
mod page;
mod strange;

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use dev::live::Live;
use mesh::apps::App;
use mesh::chromium::Chromium;
use mesh::poll::{self, Look};
use mesh::prometheus::Prometheus;
use mesh::testing::{LIMIT, Result};
use mesh::{Scratch, available, tools, workspace};
use serde_json::{Value, json};

use self::measured::Measured;

use self::page::Page;
use crate::bookinfo::demo::{DEMO, EDGES};

/// The picture in the README. `UPDATE_PICTURES=1 cargo test --test commands live` updates it.
const PICTURE: &str = "filter/docs/live-mesh.png";
const PICTURE_SIZE: [u32; 2] = [1440, 526];
/// A window of a phone: the narrowest that Chromium has without a screen.
const NARROW: [u32; 2] = [500, 900];
/// The precision of the time at which a link begins, in seconds.
const PRECISION: f64 = 15.0;
const PICTURE_BYTES: u64 = 200_000;

/// The output of `cargo demo --keep`. Dropping it ends the kept demo.
struct Kept(Value);

impl Kept {
    fn start(arguments: &[&str]) -> Result<Self> {
        let mut command = Command::new(DEMO);
        let output = command
            .args(["--keep", "--json"])
            .args(arguments)
            .output()?;
        let document = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&output.stderr)))?;
        Ok(Self(document))
    }

    fn at(&self, pointer: &str) -> Result<&str> {
        let found = self.0.pointer(pointer).and_then(Value::as_str);
        Ok(found.ok_or_else(|| format!("no {pointer}"))?)
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        if let Ok(cleanup) = self.at("/kept/cleanup") {
            let _ended = Command::new("sh").args(["-c", cleanup]).status();
        }
    }
}

/// A Prometheus that scrapes the root of these servers, or `None` if it is not installed.
fn scraping(scratch: &Scratch, servers: &[&App]) -> Result<Option<Prometheus>> {
    let targets: Vec<_> = servers.iter().map(|it| it.address().to_string()).collect();
    let scraping = json!([{
        "job_name": "applications",
        "metrics_path": "/",
        "static_configs": [{ "targets": targets }],
    }]);
    Ok(available(Prometheus::start_with(scratch, &scraping))?)
}

/// The page of a Prometheus, when that has scraped a mesh.
fn live(prometheus: &str) -> Result<Live> {
    let window = Duration::from_secs(8);
    Ok(poll::until("metrics in Prometheus", LIMIT, || {
        Ok(match Live::start(prometheus, window) {
            Ok(live) => Look::Found(live),
            Err(error) => Look::NotYet(error.to_string()),
        })
    })?)
}

/// The browser, or `None` if it is not installed.
fn browser(scratch: &Scratch) -> Result<Option<Chromium>> {
    Ok(available(Chromium::find(scratch))?)
}

/// Waits until `/graph.json` satisfies `wanted`, and returns it.
fn graph(url: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
    let url = format!("{url}graph.json");
    Ok(poll::until("the expected graph", LIMIT, || {
        let text = ureq::get(&url)
            .call()
            .and_then(|mut answer| answer.body_mut().read_to_string())
            .unwrap_or_default();
        let graph: Value = serde_json::from_str(&text).unwrap_or_default();
        Ok(if wanted(&graph) {
            Look::Found(graph)
        } else {
            Look::NotYet(text)
        })
    })?)
}

fn edges(graph: &Value) -> &[Value] {
    let edges = graph.get("edges").and_then(Value::as_array);
    edges.map_or(&[], Vec::as_slice)
}

fn moves(edge: &Value) -> bool {
    let rate = |name| edge.get(name).and_then(Value::as_f64).unwrap_or_default();
    // The edge to the black hole has no bytes.
    rate("received_per_second") + rate("sent_per_second") > 0.0 || edge["flags"] == "UH"
}

#[test]
fn the_page_shows_every_link_of_the_running_mesh_with_its_rates() -> Result {
    let began = seconds()?;
    let kept = Kept::start(&["--topology", "bookinfo", "--reporting-duration", "500ms"])?;
    let url = kept.at("/kept/addresses/Live mesh")?;
    if kept.at("/kept/addresses/Prometheus").is_err() {
        assert!(url.contains("needs Prometheus"), "{url}");
        let _missing = available(tools::daemon("prometheus", "Install it: .ci/setup"))?;
        return Ok(());
    }
    graph(url, |graph| {
        edges(graph).len() == EDGES.len() && edges(graph).iter().all(moves)
    })?;

    let scratch = Scratch::new("live")?;
    let Some(browser) = browser(&scratch)? else {
        return Ok(());
    };
    let page = Page::read(&browser.document(url)?);
    let shown: BTreeSet<_> = page.rows.iter().map(|row| row.link()).collect();
    let wanted = EDGES.map(|[source, destination, security, flags, _]| {
        [source, destination, security, flags].map(str::to_owned)
    });
    assert_eq!(shown, wanted.into());
    for row in &page.rows {
        let is_nobody = row.get("flags") == "UH";
        let rate: f64 = row.get("bytes-per-second").parse()?;
        assert_eq!(rate > 0.0, !is_nobody, "{row:?}");
        let since: f64 = row.get("since").parse()?;
        assert!(began - PRECISION <= since && since <= seconds()?, "{row:?}");
    }
    let ends = EDGES.iter().flat_map(|edge| [edge[0], edge[1]]);
    assert_eq!(page.nodes, ends.map(str::to_owned).collect());
    assert_eq!(page.links.len(), EDGES.len());
    let status = format!(
        "Live: 6 sidecars, from {}",
        kept.at("/kept/addresses/Prometheus")?
    );
    assert!(page.status.starts_with(&status), "{page:?}");
    assert!(
        page.exchange.starts_with("Peer exchange: exchanged "),
        "{page:?}"
    );
    assert!(
        page.exchange.contains("; 0 unanswered frames in 8 s."),
        "{page:?}"
    );

    for size in [PICTURE_SIZE, NARROW] {
        let measured = Measured::start(url)?;
        let (content, window) = measured.widths(&browser.document_in(size, &measured.url())?)?;
        assert!(
            content <= window,
            "{content} pixels in a window of {window}"
        );
        assert!(window <= size[0], "{window}");
    }

    let picture = scratch.path().join("live-mesh.png");
    browser.screenshot(url, PICTURE_SIZE, &picture)?;
    is_picture(&picture)?;
    if env::var_os("UPDATE_PICTURES").is_some() {
        fs::copy(&picture, workspace::root().join(PICTURE))?;
    }
    is_picture(&workspace::root().join(PICTURE))
}

/// The time in seconds since 1970.
fn seconds() -> Result<f64> {
    Ok(SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64())
}

/// Checks that a file is a PNG of the right size in pixels, and within the limit of bytes.
fn is_picture(file: &Path) -> Result {
    let bytes = fs::read(file)?;
    let [width, height] = PICTURE_SIZE.map(u32::to_be_bytes);
    let head = [b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".as_slice(), &width, &height].concat();
    assert!(bytes.starts_with(&head), "{}", file.display());
    assert!(bytes.len() as u64 <= PICTURE_BYTES, "{}", bytes.len());
    Ok(())
}
