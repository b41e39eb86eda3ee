//! The commands of a page.

/// What a page has in its blocks of code, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// A command of a shell, without its comment and the `&` at its end.
    Command(String),
    /// An expression of PromQL.
    Query(String),
}

/// The items between two lines of a page that begin with these texts.
pub(super) fn items(page: &str, [from, to]: [&str; 2]) -> Vec<Item> {
    let lines = page.lines().skip_while(|line| !line.starts_with(from));
    let mut lines = lines.take_while(|line| !line.starts_with(to));
    let mut items = Vec::new();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let block = lines.by_ref().take_while(|line| !line.starts_with("```"));
        match language {
            "sh" => {
                let commands = block.flat_map(|line| code(line).split(" && "));
                items.extend(commands.map(|it| Item::Command(it.to_owned())));
            }
            "promql" => items.push(Item::Query(block.collect::<Vec<_>>().join("\n"))),
            _ => drop(block.count()),
        }
    }
    items
}

/// A line without its comment and without the `&` that makes it a job.
fn code(line: &str) -> &str {
    let code = line.split(" #").next().unwrap_or(line).trim();
    code.strip_suffix('&').unwrap_or(code).trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_a_section_are_in_order() {
        let page = "## A\n```sh\nno\n```\n## B\n```sh\na && b   # why\nc &\n```\ntext `d`\n\
                    ```promql\nsum(x)\n- y\n```\n```yaml\nz: 1\n```\n## C\n```sh\nno\n```\n";
        let command = |text: &str| Item::Command(text.to_owned());
        let query = Item::Query("sum(x)\n- y".to_owned());
        let expected = [command("a"), command("b"), command("c"), query];
        assert_eq!(items(page, ["## B", "## C"]), expected);
    }
}
