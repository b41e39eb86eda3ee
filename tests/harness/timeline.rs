//! The page of a timeline, in a real browser.

use std::fs;

use host_harness::scenario::{Scenario, Timeline};
use mesh::chromium::Chromium;
use mesh::testing::Result;
use mesh::{Scratch, available};

use crate::sidecars::module;

/// Names and bytes that would be markup or a script if the page did not escape them.
const SCENARIO: &str = r#"
name: "<script>document.title = 'run'</script> & </style>"
configuration: { tcp_reporting_duration: 1s }
mtls: { client: "spiffe://cluster.local/ns/default/sa/a", server: "spiffe://cluster.local/ns/default/sa/b" }
outbound: { cluster: { name: "outbound|80||b.default.svc.cluster.local" } }
inbound: {}
steps:
  - connect: { connection: "<i>one</i>" }
  - client: { connection: "<i>one</i>", write: "<b onclick='x'>query</b>" }
  - server: { connection: "<i>one</i>", write: "</main><h2>answer</h2>", end: true }
  - advance: 2s
  - client: { connection: "<i>one</i>", end: true }
"#;

/// The columns of the page's entries, by a part of their text.
fn columns(document: &str, text: &str) -> Vec<u32> {
    let entries = document.split("<div class=\"entry ").skip(1);
    let own = entries.filter(|entry| entry.split("</div>").next().unwrap_or("").contains(text));
    own.filter_map(|entry| {
        let (_, after) = entry.split_once("grid-column: ")?;
        let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
    .collect()
}

#[test]
fn a_browser_shows_both_sides_bytes_callbacks_host_calls_and_times() -> Result {
    let scenario = Scenario::parse(SCENARIO)?;
    let timeline = Timeline::record(&scenario, &module())?;
    assert!(timeline.failure.is_none(), "{:?}", timeline.failure);
    let scratch = Scratch::new("timeline")?;
    let file = scratch.path().join("timeline.html");
    fs::write(&file, timeline.to_html())?;
    let Some(browser) = available(Chromium::find(&scratch))? else {
        return Ok(());
    };
    let url = format!("file://{}", file.display());
    let document = browser.document(&url)?;
    // The title is as written: the script in it did not run, and no markup of a text is an element.
    assert!(
        document.contains("<title>&lt;script&gt;document.title = 'run'&lt;/script&gt;"),
        "{document}"
    );
    for element in ["<script", "<b onclick", "<h2", "<i>"] {
        assert!(!document.contains(element), "{element} is an element");
    }
    // Client, outbound filter, inbound filter, server.
    assert_eq!(columns(&document, "writes 24 bytes \"&lt;b onclick"), [2]);
    assert_eq!(columns(&document, "receives 24 bytes"), [5]);
    assert_eq!(columns(&document, "writes 22 bytes"), [5]);
    assert_eq!(columns(&document, "receives 22 bytes"), [2]);
    assert_eq!(columns(&document, "<b>new_connection</b>"), [3, 4]);
    assert_eq!(columns(&document, "<b>tick</b>").len(), 4);
    for part in [
        "get_property(",
        "increment_metric(",
        "Continue",
        "2.000 s",
        "fuel\"",
    ] {
        assert!(document.contains(part), "{part} is missing");
    }
    let picture = scratch.path().join("timeline.png");
    browser.screenshot(&url, [1200, 900], &picture)?;
    // A page without content is a few kilobytes.
    assert!(fs::metadata(&picture)?.len() > 20_000);
    Ok(())
}

#[test]
fn a_trap_is_in_the_timeline_with_its_host_calls() -> Result {
    let module = host_harness::Module::from_bytes(
        br#"(module
        (import "env" "proxy_set_tick_period_milliseconds" (func $tick (param i32) (result i32)))
        (memory (export "memory") 1)
        (func (export "malloc") (param i32) (result i32) i32.const 1024)
        (func (export "proxy_abi_version_0_2_1"))
        (func (export "proxy_on_downstream_data") (param i32 i32 i32) (result i32)
            (drop (call $tick (i32.const 7))) unreachable))"#,
    )?;
    let yaml = "{ name: t, inbound: {}, steps: [{ connect: {} }, { client: { write: x } }] }";
    let timeline = Timeline::record(&Scenario::parse(yaml)?, &module)?;
    assert!(timeline.failure.is_some());
    let page = timeline.to_html();
    assert!(
        page.contains("trapped: wasm trap: wasm `unreachable` instruction executed"),
        "{page}"
    );
    assert!(
        page.contains("<li>set_tick_period_milliseconds(7 ms)</li>"),
        "{page}"
    );
    Ok(())
}
