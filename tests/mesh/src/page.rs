//! Parts of the pages that commands write.

use std::fs;
use std::path::Path;

use crate::error::{Context, Error, Result};

const END: &str = "<!-- end -->\n";

/// Replaces the part of a page that a command has made, between the line
/// ``<!-- made by `COMMAND` -->`` and `<!-- end -->`.
///
/// # Errors
/// The page has no such part, or cannot be read or written.
pub fn replace(file: &Path, command: &str, part: &str) -> Result<()> {
    let text = fs::read_to_string(file).context(|| format!("cannot read {}", file.display()))?;
    let text = insert(&text, command, part, file)?;
    fs::write(file, text).context(|| format!("cannot write {}", file.display()))
}

fn insert(document: &str, command: &str, part: &str, file: &Path) -> Result<String> {
    let begin = format!("<!-- made by `{command}` -->\n");
    let parts = document.split_once(&begin).and_then(|(head, rest)| {
        let (_, tail) = rest.split_once(END)?;
        Some((head, tail))
    });
    let (head, tail) = parts.ok_or_else(|| {
        let what = format!("{}: a place for the table", file.display());
        Error::malformed(what, format!("no {begin:?} and {END:?}"))
    })?;
    Ok(format!("{head}{begin}{part}{END}{tail}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_replaces_the_previous_one_of_the_same_command() {
        let part = |command: &str, text: &str| format!("<!-- made by `{command}` -->\n{text}{END}");
        let document = |text: &str| format!("a\n{}b\n{}c\n", part("x", "1\n"), part("y", text));
        let inserted = insert(&document("old\n"), "y", "new\n", Path::new("page"));
        assert_eq!(inserted.unwrap(), document("new\n"));
        assert!(insert("nothing", "y", "new\n", Path::new("page")).is_err());
    }
}
