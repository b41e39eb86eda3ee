//! The words of a CEL expression, as far as needed to find its names.

use super::error::ExpressionError;

/// The kind of a word.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    /// A name.
    Identifier,
    /// A string or bytes literal, with its quotes and prefix.
    String,
    /// A number.
    Number,
    /// Any other character.
    Punctuation,
}

/// A word of an expression.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) text: &'a str,
    /// White space or a comment is in front of it.
    pub(super) spaced: bool,
}

impl<'a> Token<'a> {
    /// The text of a string literal, if it is as plain as names are: no prefix and no escapes.
    pub(super) fn quoted(&self) -> Option<&'a str> {
        let quote = self
            .text
            .chars()
            .next()
            .filter(|_| self.kind == Kind::String)?;
        let inner = self.text.strip_prefix(quote)?.strip_suffix(quote)?;
        (!inner.contains([quote, '\\'])).then_some(inner)
    }
}

/// Appends `text` in the place of `word`.
pub(super) fn emit(word: &Token<'_>, text: &str, out: &mut String) {
    if word.spaced && !out.is_empty() {
        out.push(' ');
    }
    out.push_str(text);
}

/// The texts of the first four words; `""` where there are fewer.
pub(super) fn texts<'a>(words: &[Token<'a>]) -> [&'a str; 4] {
    let mut texts = [""; 4];
    for (text, word) in texts.iter_mut().zip(words) {
        *text = word.text;
    }
    texts
}

/// Splits an expression into its words.
///
/// # Errors
/// A string does not end.
pub(super) fn tokens(mut rest: &str) -> Result<Vec<Token<'_>>, ExpressionError> {
    let mut tokens = Vec::new();
    let mut spaced = false;
    while let Some(first) = rest.chars().next() {
        let (kind, len) = match string(rest)? {
            Some(len) => (Some(Kind::String), len),
            None if first.is_whitespace() => (None, run(rest, char::is_whitespace)),
            None if rest.starts_with("//") => (None, run(rest, |c| c != '\n')),
            None if first.is_ascii_digit() => (Some(Kind::Number), run(rest, is_word)),
            None if is_word(first) => (Some(Kind::Identifier), run(rest, is_word)),
            None => (Some(Kind::Punctuation), first.len_utf8()),
        };
        let (text, behind) = rest.split_at(len);
        if let Some(kind) = kind {
            tokens.push(Token { kind, text, spaced });
        }
        spaced = kind.is_none();
        rest = behind;
    }
    Ok(tokens)
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

fn run(text: &str, belongs: impl Fn(char) -> bool) -> usize {
    text.find(|c| !belongs(c)).unwrap_or(text.len())
}

/// The length of the string literal that `text` begins with, if it does.
fn string(text: &str) -> Result<Option<usize>, ExpressionError> {
    let prefix = run(text, |c| "rRbB".contains(c));
    let body = text.get(prefix..).unwrap_or_default();
    let Some(quote) = ["\"\"\"", "'''", "\"", "'"]
        .into_iter()
        .find(|quote| prefix <= 2 && body.starts_with(*quote))
    else {
        return Ok(None);
    };
    let raw = text
        .get(..prefix)
        .is_some_and(|prefix| prefix.contains(['r', 'R']));
    let mut at = quote.len();
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with(quote) {
            return Ok(Some(prefix + at + quote.len()));
        }
        let skipped = if rest.starts_with('\\') && !raw { 2 } else { 1 };
        at += rest
            .chars()
            .take(skipped)
            .map(char::len_utf8)
            .sum::<usize>();
    }
    Err(ExpressionError::OpenString)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces, with a blank in front of those that have one.
    fn words(text: &str) -> Vec<String> {
        let tokens = tokens(text).expect(text);
        let word = |token: &Token<'_>| match token.spaced {
            true => format!(" {}", token.text),
            false => token.text.to_owned(),
        };
        tokens.iter().map(word).collect()
    }

    #[test]
    fn names_strings_and_numbers_are_distinct_tokens() {
        assert_eq!(
            words("a.b['c d'] == 10u ? r\"\\\" : b'x'// end\n!"),
            [
                "a", ".", "b", "[", "'c d'", "]", " =", "=", " 10u", " ?", " r\"\\\"", " :",
                " b'x'", " !"
            ]
        );
        assert_eq!(
            words(r"'it\'s' + '''a'b'''"),
            [r"'it\'s'", " +", " '''a'b'''"]
        );
        assert_eq!(words("rb.r"), ["rb", ".", "r"]);
        assert_eq!(words("'ж'ж"), ["'ж'", "ж"]);
        assert_eq!(words(" \n"), [""; 0]);
    }

    #[test]
    fn an_unterminated_string_is_an_error() {
        for text in ["'", "a['b]", "\"\"\"x\"\"", r"'\'"] {
            assert_eq!(tokens(text), Err(ExpressionError::OpenString), "{text}");
        }
    }

    #[test]
    fn quotes_come_off_plain_strings() {
        for (text, quoted) in [
            ("'a'", Some("a")),
            ("\"a b\"", Some("a b")),
            ("''", Some("")),
            ("r'x'", None),
            ("'''x'''", None),
            (r"'\n'", None),
            ("a", None),
        ] {
            let tokens = tokens(text).expect(text);
            assert_eq!(tokens.first().and_then(Token::quoted), quoted, "{text}");
        }
    }
}
