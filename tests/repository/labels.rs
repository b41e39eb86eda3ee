//! Every list of the standard labels in the repository is equal to the filter's list.

mod files;

use std::collections::BTreeSet;
use std::fs;

use mesh::testing::Result;
use mesh::workspace;

/// The start of the filter's list in its sources.
const DEFINITION: &str = "const STANDARD_LABELS: &[StandardLabel]";

/// Tags of other metrics: of `istio_tcp_peer_exchange_total`, and of Consul's own stats.
const OTHER: [&str; 2] = ["result", "local_cluster"];

/// Lists of some standard labels, which are not copies of the filter's list.
const PARTIAL: [(&str, &str); 1] = [(
    "tests/dev/tests/bookinfo/kiali.rs",
    "the labels that Kiali groups by and requires",
)];

/// Consecutive lines with names only: elements of an array, a sequence or a comma-separated text.
#[derive(Debug)]
struct List {
    /// The first line's number.
    line: usize,
    /// The last line's number.
    end: usize,
    names: Vec<String>,
}

#[test]
fn every_list_of_labels_has_the_labels_of_the_filter() -> Result {
    let labels = definition()?;
    let mut copies = 0;
    let mut partial = BTreeSet::new();
    let mut differences = Vec::new();
    for path in files::all()? {
        // A file that is not text has no list.
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        let file = path.strip_prefix(workspace::root())?.display().to_string();
        for list in lists(&text) {
            let known = labels.iter().filter(|label| list.names.contains(label));
            if known.count() < labels.len() / 2 {
                continue;
            }
            if PARTIAL.iter().any(|(partial, _)| *partial == file) {
                partial.insert(file.clone());
                continue;
            }
            copies += 1;
            for difference in differences_of(&list, &labels, &text) {
                differences.push(format!("{file}:{}: {difference}", list.line));
            }
        }
    }
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    assert!(copies >= 14, "only {copies} lists were found");
    assert_eq!(partial.len(), PARTIAL.len(), "{partial:?}");
    Ok(())
}

/// The names in the filter's list.
fn definition() -> Result<BTreeSet<String>> {
    let folder = workspace::root().join("filter/src");
    for path in files::all()? {
        if !path.starts_with(&folder) {
            continue;
        }
        let text = fs::read_to_string(path)?;
        let Some((_, rest)) = text.split_once(DEFINITION) else {
            continue;
        };
        let (list, _) = rest.split_once("];").ok_or("the list has no end")?;
        // Every second part is between quotes.
        return Ok(list
            .split('"')
            .skip(1)
            .step_by(2)
            .map(str::to_owned)
            .collect());
    }
    Err(format!("filter/src has no {DEFINITION}").into())
}

/// Returns the differences between a list and `labels`. It may also have [`OTHER`] tags and names
/// that the rest of its file uses, such as the dimensions of a scenario.
fn differences_of(list: &List, labels: &BTreeSet<String>, text: &str) -> Vec<String> {
    let names: BTreeSet<_> = list.names.iter().cloned().collect();
    let mut differences = Vec::new();
    for missing in labels.difference(&names) {
        differences.push(format!("{missing} is missing"));
    }
    for name in names.difference(labels) {
        if OTHER.contains(&name.as_str()) {
            continue;
        }
        let used = text.lines().enumerate().any(|(index, line)| {
            !(list.line..=list.end).contains(&(index + 1)) && words(line).any(|word| word == name)
        });
        if !used {
            differences.push(format!("{name} is not a standard label"));
        }
    }
    for name in &names {
        if list.names.iter().filter(|one| *one == name).count() > 1 {
            differences.push(format!("{name} occurs more than once"));
        }
    }
    differences
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|char: char| !char.is_ascii_alphanumeric() && char != '_')
}

/// The lists in a text. A comment does not end a list.
fn lists(text: &str) -> Vec<List> {
    let mut lists: Vec<List> = Vec::new();
    let mut goes_on = false;
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with(['#', '/']) {
            continue;
        }
        let names = elements(text);
        if names.is_empty() {
            goes_on = false;
            continue;
        }
        match lists.last_mut().filter(|_| goes_on) {
            Some(list) => {
                list.end = line;
                list.names.extend(names);
            }
            None => lists.push(List {
                line,
                end: line,
                names,
            }),
        }
        goes_on = true;
    }
    lists
}

/// Returns the names in a line that are elements of a list: the end of the line, a comma or a
/// bracket follows, and no parenthesis is in front, as in a pair of a name and a value.
fn elements(line: &str) -> Vec<String> {
    let mut elements = Vec::new();
    let mut rest = line;
    let is_name = |char: char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_';
    while let Some(start) = rest.find(is_name) {
        let (gap, from) = rest.split_at(start);
        let end = from.find(|char| !is_name(char)).unwrap_or(from.len());
        let (name, after) = from.split_at(end);
        let begins = gap.is_empty() || gap.ends_with([' ', ',', '[', '"', '\'']);
        let close = after.strip_prefix(['"', '\'']).unwrap_or(after);
        let ends = close.is_empty() || close.starts_with([',', ']']);
        if begins && ends && !gap.ends_with("(\"") {
            elements.push(name.to_owned());
        }
        rest = after;
    }
    elements
}

#[test]
fn lists_of_every_form_are_found() {
    let text = r#"
        stats_tags:
        - { tag_name: one, regex: '(one=\.=(.*?);\.;)' }
        # A comment, and more.
        - { "tag_name": "two", "regex": "(two=\\.=(.*?);\\.;)" }

        tags: "one,two"
        extraStatTags:
        - one
        - two

        [one, two,
         three]

        ["one", "two"]

        labels: { one: 1, two: x }
        [("one", "1"), ("two", "2")]
    "#;
    let found: Vec<_> = lists(text)
        .into_iter()
        .map(|list| list.names.join(" "))
        .collect();
    let expected = ["one two", "one two", "one two", "one two three", "one two"];
    assert_eq!(found[..5], expected);
    assert!(
        !found[5..].iter().any(|names| names.contains("one")),
        "{found:?}"
    );
}

#[test]
fn a_difference_names_the_label() {
    let labels = ["one", "two"].map(str::to_owned).into();
    let text = "\n- one\n- one\n- three\n- four\n- result\n\nfour: x.\n";
    let [list] = lists(text)
        .try_into()
        .unwrap_or_else(|lists| panic!("{lists:?}"));
    let differences = differences_of(&list, &labels, text);
    assert_eq!(
        differences,
        [
            "two is missing",
            "three is not a standard label",
            "one occurs more than once"
        ]
    );
}
