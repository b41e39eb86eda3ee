//! The pages: the links, the runbooks of alerts, and the sentences with tests.

mod files;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use dev::matrix;
use mesh::testing::Result;
use mesh::workspace;

#[test]
fn every_link_has_a_target() -> Result {
    let pages = texts("md")?;
    assert!(pages.len() > 10, "{} pages", pages.len());
    let mut links = 0;
    for (page, text) in &pages {
        let folder = page.parent().unwrap_or_else(|| Path::new(""));
        for link in targets(text).filter(|link| !link.contains("://")) {
            links += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path.is_empty() {
                true => page.clone(),
                false => folder.join(path),
            };
            check(&pages, page, &target, anchor)?;
        }
    }
    assert!(links > 50, "{links} links");
    Ok(())
}

#[test]
fn every_alert_has_a_runbook() -> Result {
    let pages = texts("md")?;
    let mut runbooks = 0;
    for (file, text) in texts("yaml")? {
        let named = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("runbook: "));
        for runbook in named {
            runbooks += 1;
            let (path, anchor) = runbook
                .split_once('#')
                .ok_or("a runbook without a section")?;
            check(&pages, &file, &workspace::root().join(path), anchor)?;
        }
    }
    assert!(runbooks > 5, "{runbooks} runbooks");
    Ok(())
}

/// A new release is tested before the page has it.
#[test]
fn the_matrix_has_a_row_for_every_release() -> Result {
    let page = fs::read_to_string(matrix::document())?;
    for version in matrix::RELEASES {
        let row = format!("| {version} |");
        assert!(page.lines().any(|line| line.starts_with(&row)), "{version}");
    }
    Ok(())
}

/// A comment `Shows: PAGE, "TEXT"` beside a test quotes the sentence that it shows. The page has
/// this text.
#[test]
fn the_sentences_that_tests_show_are_in_the_pages() -> Result {
    let pages = texts("md")?;
    let mut shown = 0;
    for (file, text) in texts("rs")?.into_iter().chain(texts("yaml")?) {
        let comments = text.lines().filter_map(|line| {
            let line = line.trim_start().trim_start_matches(['/', '#']);
            line.strip_prefix(" Shows: ")
        });
        for comment in comments {
            shown += 1;
            let place = format!("{}: {comment}", file.display());
            let (page, quote) = comment
                .split_once(", ")
                .and_then(|(page, rest)| Some((page, rest.strip_prefix('"')?.strip_suffix('"')?)))
                .ok_or_else(|| format!("{place}: write `Shows: PAGE, \"TEXT\"`"))?;
            let page = fs::canonicalize(workspace::root().join(page))
                .map_err(|error| format!("{place}: {error}"))?;
            let page = pages
                .get(&page)
                .ok_or_else(|| format!("{place}: not a page"))?;
            assert!(
                words(page).contains(&words(quote)),
                "{place}: not in the page"
            );
        }
    }
    assert!(shown > 50, "{shown} sentences");
    Ok(())
}

/// Joins the lines of a text.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn check(pages: &BTreeMap<PathBuf, String>, from: &Path, target: &Path, anchor: &str) -> Result {
    let place = format!("{}: {}#{anchor}", from.display(), target.display());
    assert!(target.exists(), "{place}: the file does not exist");
    if anchor.is_empty() {
        return Ok(());
    }
    let target = fs::canonicalize(target)?;
    let text = pages
        .get(&target)
        .ok_or_else(|| format!("{place}: not a page"))?;
    assert!(
        anchors(text).any(|one| one == anchor),
        "{place}: the section does not exist"
    );
    Ok(())
}

/// The targets of the links of a page, without those in code.
fn targets(text: &str) -> impl Iterator<Item = &str> {
    prose(text).flat_map(|line| {
        line.split("](")
            .skip(1)
            .filter_map(|rest| rest.split_once(')'))
            .map(|(link, _)| link)
    })
}

/// The anchors of a page's headings, as on GitHub.
fn anchors(text: &str) -> impl Iterator<Item = String> {
    let headings = prose(text).filter(|line| line.starts_with('#'));
    headings.map(|line| {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let kept = title
            .chars()
            .filter(|char| char.is_alphanumeric() || " -_".contains(*char));
        kept.map(|char| if char == ' ' { '-' } else { char })
            .collect()
    })
}

fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// The texts of the files with this extension, by path.
fn texts(extension: &str) -> Result<BTreeMap<PathBuf, String>> {
    let mut texts = BTreeMap::new();
    for path in files::all()? {
        if path.extension().is_some_and(|is| is == extension) {
            let text = fs::read_to_string(&path)?;
            texts.insert(path, text);
        }
    }
    Ok(texts)
}
