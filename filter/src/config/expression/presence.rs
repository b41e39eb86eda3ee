//! `has()` with arguments that CEL does not accept.
//!
//! CEL's macro accepts a selected field only (`has(a.b)`). Istio's configurations also use it with
//! a peer (`has(filter_state.upstream_peer)`, a property's bare name here), with a property of
//! another filter and with a member of a map by index. These become tests for membership (`in`).

use super::error::ExpressionError;
use super::names::{BARE, WASM, XDS};
use super::token::{Kind, Token, emit, texts, tokens};

/// Rewrites every `has()` of an expression in the host's names to a form that the host accepts.
///
/// # Errors
/// A string does not end.
pub(super) fn rewrite(text: &str) -> Result<String, ExpressionError> {
    let words = tokens(text)?;
    let mut rewritten = String::with_capacity(text.len());
    let mut rest = words.as_slice();
    while let Some((word, behind)) = rest.split_first() {
        rest = match membership(rest) {
            Some((membership, taken)) => {
                emit(word, &membership, &mut rewritten);
                rest.get(taken..).unwrap_or_default()
            }
            None => {
                emit(word, word.text, &mut rewritten);
                behind
            }
        };
    }
    Ok(rewritten)
}

/// The membership that the `has()` at the beginning of `words` asks for, if it does, and how many
/// words it takes.
fn membership(words: &[Token<'_>]) -> Option<(String, usize)> {
    /// `has`, `(` and the root.
    const HEAD: usize = 3;
    let ["has", "(", root, _] = texts(words) else {
        return None;
    };
    let is_name = words.get(2)?.kind == Kind::Identifier;
    let mut end = HEAD;
    let mut last_index = None;
    loop {
        let member = words.get(end..)?;
        (last_index, end) = match texts(member) {
            [".", _, ..] => (None, end + 2),
            ["[", _, "]", _] if member.get(1)?.kind == Kind::String => (Some(end), end + 3),
            [")", ..] => break,
            _ => return None,
        };
    }
    let membership = match last_index {
        Some(index) => {
            let map: String = words.get(2..index)?.iter().map(|word| word.text).collect();
            format!("({} in {map})", words.get(index + 1)?.text)
        }
        None if end == HEAD && is_name && !BARE.contains(&root) && !XDS.contains(&root) => {
            format!("('{WASM}{root}' in filter_state)")
        }
        None => return None,
    };
    Some((membership, end + 1))
}
