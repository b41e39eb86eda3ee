//! The content of the page, read from the document of a browser.

use std::collections::{BTreeMap, BTreeSet};

/// The shown elements.
#[derive(Debug)]
pub(crate) struct Page {
    /// The whole document.
    pub(crate) text: String,
    pub(crate) title: String,
    pub(crate) status: String,
    /// What the page says of the exchange.
    pub(crate) exchange: String,
    /// The names of the nodes.
    pub(crate) nodes: BTreeSet<String>,
    /// Source, destination and service of the links.
    pub(crate) links: BTreeSet<[String; 3]>,
    /// The rows of the table.
    pub(crate) rows: Vec<Element>,
}

/// The attributes of an element, without `data-`.
#[derive(Debug)]
pub(crate) struct Element(BTreeMap<String, String>);

impl Page {
    /// Reads a document as Chromium writes it.
    pub(crate) fn read(document: &str) -> Self {
        let elements = |start: &str| -> Vec<Element> {
            let found = document.split(start).skip(1);
            let data = found.map(Element::read);
            data.filter(|element| !element.0.is_empty()).collect()
        };
        let groups = elements("<g ");
        let of = |class: &str| -> Vec<&Element> {
            let own = groups.iter();
            own.filter(|group| group.get("class").starts_with(class))
                .collect()
        };
        let ends = |link: &Element| ["source", "destination", "service"].map(|name| link.get(name));
        Self {
            text: document.to_owned(),
            title: between(document, "<title>", "</title>"),
            exchange: between(document, "id=\"exchange\">", "</p>"),
            status: between(document, "role=\"status\">", "</p>"),
            nodes: of("node").iter().map(|node| node.get("name")).collect(),
            links: of("link").into_iter().map(ends).collect(),
            rows: elements("<tr"),
        }
    }

    /// The document without the values of attributes, which can have any text.
    pub(crate) fn without_attributes(&self) -> String {
        let parts = self.text.split("=\"").enumerate();
        let kept = parts.map(|(index, part)| match index {
            0 => part,
            _ => part.split_once('"').map_or("", |(_, after)| after),
        });
        kept.collect()
    }
}

impl Element {
    /// Reads the text after the name of a tag.
    fn read(text: &str) -> Self {
        let mut attributes = BTreeMap::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("=\"") {
            // Chromium escapes no `<` and `>` in a value, but every quote.
            if before.contains('>') {
                break;
            }
            let (value, after) = after.split_once('"').unwrap_or((after, ""));
            let name = before.trim();
            let name = name.strip_prefix("data-").unwrap_or(name);
            attributes.insert(name.to_owned(), unescaped(value));
            rest = after;
        }
        Self(attributes)
    }

    pub(crate) fn get(&self, name: &str) -> String {
        self.0.get(name).cloned().unwrap_or_default()
    }

    pub(crate) fn link(&self) -> [String; 4] {
        ["source", "destination", "security", "flags"].map(|name| self.get(name))
    }
}

fn between(text: &str, start: &str, end: &str) -> String {
    let after = text.split_once(start).map_or("", |(_, after)| after);
    let found = after.split_once(end).map_or("", |(found, _)| found);
    unescaped(found)
}

fn unescaped(text: &str) -> String {
    let text = text.replace("&quot;", "\"").replace("&lt;", "<");
    text.replace("&gt;", ">").replace("&amp;", "&")
}

#[test]
fn reads_a_document_as_chromium_writes_it() {
    let page = Page::read(
        "<title>t &amp; u</title><p id=\"status\" role=\"status\">Live</p>\
         <g class=\"node x\" transform=\"y\" data-name=\"<b a=&quot;1&quot;>\"><rect></rect></g>\
         <tr><th>no data</th></tr><tr data-source=\"a\" data-flags=\"-\"><td></td></tr>",
    );
    assert_eq!(page.title, "t & u");
    assert_eq!(page.status, "Live");
    assert_eq!(page.nodes, [r#"<b a="1">"#.to_owned()].into());
    assert_eq!(page.rows.len(), 1);
    assert_eq!(page.rows[0].link(), ["a", "", "", "-"]);
    assert!(!page.without_attributes().contains("<b"), "{page:?}");
}
