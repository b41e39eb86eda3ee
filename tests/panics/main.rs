//! The filter that ships can panic nowhere, but where `filter/docs/panics.md` says why it does not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a failed expectation of a test"
)]

mod reasons;

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;

use mesh::{wasm, workspace};
use wasm_panics::{PanicSite, Panics};

use reasons::Reason;

const REASONS: &str = "filter/docs/panics.md";

/// What is wrong with the list of reasons, in words; nothing is good.
fn judge(sites: &[PanicSite], reasons: &[Reason]) -> Vec<String> {
    // What is inlined twice, or there for two types, reads the same.
    let sites: BTreeMap<_, _> = sites.iter().map(|site| (site.to_string(), site)).collect();
    let explained = |site: &str| reasons.iter().any(|reason| reason.explains(site));
    let unexplained = sites.iter().filter(|(text, _)| !explained(text));
    let unexplained = unexplained.map(|(text, site)| {
        let locations = site.frames.iter().map(|frame| frame.location.as_deref());
        let locations: Vec<_> = locations.map(Option::unwrap_or_default).collect();
        format!(
            "{REASONS} has no reason why this cannot happen:\n  {text}\n  at {}\n  by {}",
            locations.join(" ← "),
            site.path()
        )
    });
    let stale = reasons.iter().flat_map(|reason| {
        let stale = reason.patterns.iter().filter(|pattern| {
            let mut texts = sites.keys();
            !texts.any(|text| reasons::matches(pattern, text))
        });
        stale.map(|pattern| {
            format!(
                "{REASONS}, {}: the filter has no such place: {pattern}",
                reason.title
            )
        })
    });
    let empty = reasons
        .iter()
        .filter(|reason| reason.text.is_empty() || reason.patterns.is_empty());
    let empty = empty.map(|reason| {
        format!(
            "{REASONS}, {}: no reason, or nothing it is for",
            reason.title
        )
    });
    unexplained.chain(stale).chain(empty).collect()
}

#[test]
fn every_panic_of_the_filter_has_a_reason_why_it_cannot_happen() -> Result<(), Box<dyn Error>> {
    let panics = Panics::of_file(wasm::build_with_symbols()?)?;
    let reasons = reasons::read(&fs::read_to_string(workspace::root().join(REASONS))?);
    let complaints = judge(&panics.sites, &reasons);
    assert!(complaints.is_empty(), "{}", complaints.join("\n\n"));
    Ok(())
}

/// Symbols must not change the code, or something else is searched than what ships.
#[test]
fn the_code_that_is_searched_is_the_code_that_ships() -> Result<(), Box<dyn Error>> {
    let shipped = instructions(&fs::read(wasm::build()?)?)?;
    let searched = instructions(&fs::read(wasm::build_with_symbols()?)?)?;
    // With debug information the compiler merges other pairs of equal functions.
    assert!(
        shipped.abs_diff(searched) < shipped / 200,
        "{shipped} and {searched} instructions"
    );
    Ok(())
}

/// The number of instructions of a module. Not bytes: addresses have padding beside symbols.
fn instructions(module: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut count = 0;
    for payload in wasmparser::Parser::new(0).parse_all(module) {
        if let wasmparser::Payload::CodeSectionEntry(body) = payload? {
            count += body.get_operators_reader()?.into_iter().count();
        }
    }
    Ok(count)
}

const TWO_SITES: &str = r#"(module
    (func $die unreachable)
    (func $one (if (i32.const 1) (then (call $die))))
    (func $two (if (i32.const 1) (then (call $die))))
    (func (export "run") (call $one) (call $two)))"#;

fn complaints(list: &str) -> Vec<String> {
    let panics = Panics::of(TWO_SITES.as_bytes()).unwrap();
    judge(&panics.sites, &reasons::read(list))
}

#[test]
fn a_whole_list_is_good() {
    assert_eq!(
        complaints("# Intro\n\n## One\nNever.\n* `die ← one`\n\n## Two\nNor this.\n* `* ← t*`\n"),
        [""; 0]
    );
}

#[test]
fn a_site_without_a_reason_is_named_with_its_path() {
    let found = complaints("## One\nNever.\n* `die ← one`\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("die ← two"), "{found:?}");
    assert!(found[0].contains("run → two"), "{found:?}");
}

#[test]
fn a_reason_for_what_is_gone_is_named() {
    let found = complaints("## All\nNever.\n* `die ← *`\n* `die ← three`\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("die ← three"), "{found:?}");
}

#[test]
fn a_heading_without_a_reason_is_named() {
    let found = complaints("## All\n* `die ← *`\n");
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("All"), "{found:?}");
}
