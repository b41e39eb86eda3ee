//! Suggestions for misspelt names.

/// The closest of `names` to `wrong`; `""` when there are none.
pub(crate) fn nearest<'a>(wrong: &str, names: impl Iterator<Item = &'a str>) -> &'a str {
    names
        .min_by_key(|name| distance(wrong, name))
        .unwrap_or_default()
}

/// Whether `wrong` is most likely a misspelling of `name`: at most every third character
/// differs, one where there are fewer.
pub(crate) fn is_close(wrong: &str, name: &str) -> bool {
    distance(wrong, name) <= (wrong.len() / 3).max(1)
}

/// The Levenshtein distance: how many characters to add, drop or change.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        for (cell, y) in row.iter_mut().skip(1).zip(b.bytes()) {
            let cost = diagonal + usize::from(x != y);
            diagonal = *cell;
            left = cost.min(left + 1).min(*cell + 1);
            *cell = left;
        }
        if let Some(first) = row.first_mut() {
            *first = i + 1;
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_edits() {
        for (a, b, edits) in [
            ("", "", 0),
            ("a", "", 1),
            ("", "ab", 2),
            ("mode", "mod", 1),
            ("mode", "node", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), edits, "{a} {b}");
        }
    }

    #[test]
    fn a_misspelling_is_close() {
        for (wrong, name, close) in [
            ("nod", "node", true),
            ("upstreampeer", "upstream_peer", true),
            ("conectoin", "connection", true),
            ("test", "list", false),
            ("istio_operationId", "connection", false),
        ] {
            assert_eq!(is_close(wrong, name), close, "{wrong} {name}");
        }
    }

    #[test]
    fn nearest_is_the_one_with_the_fewest_edits() {
        assert_eq!(nearest("mod", ["clusters", "mode"].into_iter()), "mode");
        assert_eq!(nearest("mod", [].into_iter()), "");
    }
}
