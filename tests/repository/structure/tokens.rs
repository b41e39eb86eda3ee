//! A Rust source file as words, path separators and punctuation, without comments and literals.

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// `::`
    Separator,
    /// Any other character.
    Mark(char),
}

/// Reads a source file. Numbers are words; strings, characters, lifetimes and comments are left
/// out.
pub(crate) fn read(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let skipped = skipped(rest);
        if skipped > 0 {
            rest = rest.get(skipped..).unwrap_or_default();
        } else if is_word(first) {
            let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            tokens.push(Token::Word(word.to_owned()));
            rest = after;
        } else if let Some(after) = rest.strip_prefix("::") {
            tokens.push(Token::Separator);
            rest = after;
        } else {
            tokens.push(Token::Mark(first));
            rest = rest.get(first.len_utf8()..).unwrap_or_default();
        }
    }
    tokens
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The length of the white space, comment or literal at the start of the text; 0 if there is none.
fn skipped(text: &str) -> usize {
    let first = text.chars().next().unwrap_or_default();
    if first.is_whitespace() {
        return first.len_utf8();
    }
    if text.starts_with("//") {
        return text.find('\n').unwrap_or(text.len());
    }
    if text.starts_with("/*") {
        return text.find("*/").map_or(text.len(), |end| end + 2);
    }
    if first == '\'' {
        return quoted(text);
    }
    let opened = text.trim_start_matches(['b', 'c', 'r']);
    let prefix = text.len() - opened.len();
    if prefix > 2 {
        return 0;
    }
    let bare = opened.trim_start_matches('#');
    let hashes = opened.len() - bare.len();
    if !bare.starts_with('"') || (hashes > 0 && prefix == 0) {
        return 0;
    }
    let raw = text
        .get(..prefix)
        .is_some_and(|prefix| prefix.contains('r'));
    prefix + hashes + string(bare, raw, hashes)
}

/// The length of a string from its opening quote on.
fn string(text: &str, raw: bool, hashes: usize) -> usize {
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        let body = text.get(1..).unwrap_or_default();
        return body.find(&end).map_or(text.len(), |at| 1 + at + end.len());
    }
    let mut escaped = false;
    for (at, character) in text.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of a character literal, or of the quote and the name of a lifetime.
fn quoted(text: &str) -> usize {
    let mut characters = text.char_indices().skip(1);
    match characters.next() {
        Some((_, '\\')) => {
            let mut rest = characters.skip(1);
            rest.find(|(_, character)| *character == '\'')
                .map_or(text.len(), |(at, _)| at + 1)
        }
        Some((at, character)) => match characters.next() {
            Some((end, '\'')) => end + 1,
            _ if is_word(character) => {
                let name = text.get(at..).unwrap_or_default();
                at + name.find(|c| !is_word(c)).unwrap_or(name.len())
            }
            _ => at,
        },
        None => text.len(),
    }
}

#[test]
fn comments_and_literals_are_left_out() {
    let source = r##"fn a<'x>(b: &'x str) { // use crate::c;
        let d = "use crate::e;\" {"; let f = 'g'; let h = '\''; let i = r#"use crate::"j""#;
        /* use crate::k; */ l::m('{') }"##;
    let words: Vec<_> = read(source)
        .into_iter()
        .filter_map(|token| match token {
            Token::Word(word) => Some(word),
            Token::Separator | Token::Mark(_) => None,
        })
        .collect();
    let expected = "fn a b str let d let f let h let i l m";
    assert_eq!(words.join(" "), expected);
}
