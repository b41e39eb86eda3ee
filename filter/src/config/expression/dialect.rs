//! Translation of expressions into the host's names.
//!
//! Istio 1.7, modern Istio and the host name the same things differently: `node.metadata[…]` and
//! `xds.node.metadata[…]`, `upstream_peer.labels['app'].value` and
//! `filter_state.upstream_peer.labels['app']`. A peer in any spelling is the one that this filter
//! writes to the filter state (`wasm.upstream_peer`, which the host also finds by its bare name);
//! all other names get the root that they have in this host.

use super::error::ExpressionError;
use super::names::{AbsentAttribute, BARE, PEER_FIELDS, PEER_MAPS, PEERS, WASM, XDS};
use super::presence;
use super::token::{Kind, Token, emit, texts, tokens};
use crate::config::suggestion::{is_close, nearest};
use crate::host::attributes::Roots;

/// An expression in the host's names.
#[derive(Debug, Default)]
pub(super) struct Translated {
    pub(super) text: String,
    /// Attributes in it that TCP connections do not have.
    pub(super) absent: Vec<AbsentAttribute>,
}

/// Translates an expression into the host's names.
///
/// # Errors
/// A name in it does not exist.
pub(super) fn translate(text: &str, roots: Roots) -> Result<Translated, ExpressionError> {
    let words = tokens(text)?;
    let variables = variables(&words);
    let mut translated = Translated::default();
    let mut rest = words.as_slice();
    let mut before = "";
    while let Some((word, behind)) = rest.split_first() {
        let next = behind.first().map_or("", |token| token.text);
        let is_root = word.kind == Kind::Identifier
            && before != "."
            && next != "("
            && !variables.contains(&word.text);
        let taken = match is_root {
            true => root(rest, roots, &mut translated)?,
            false => {
                emit(word, word.text, &mut translated.text);
                1
            }
        };
        before = rest.get(taken - 1).map_or("", |token| token.text);
        rest = rest.get(taken..).unwrap_or_default();
    }
    translated.text = presence::rewrite(&translated.text)?;
    Ok(translated)
}

/// The parts of an attribute's path like `a.b['c']`; `None` if the expression is anything else.
pub(super) fn path(text: &str) -> Option<Vec<String>> {
    let words = tokens(text).ok()?;
    let (first, mut rest) = words.split_first()?;
    let is_attribute =
        BARE.contains(&first.text) || XDS.contains(&first.text) || PEERS.contains(&first.text);
    let mut path = vec![first.text.to_owned()];
    while !rest.is_empty() {
        let (part, behind) = match rest {
            [dot, name, behind @ ..] if dot.text == "." && name.kind == Kind::Identifier => {
                (name.text, behind)
            }
            [open, name, close, behind @ ..] if open.text == "[" && close.text == "]" => {
                (name.quoted()?, behind)
            }
            _ => return None,
        };
        path.push(part.to_owned());
        rest = behind;
    }
    (is_attribute && path.len() > 1).then_some(path)
}

/// Translates the attribute that `words` begins with; returns how many words that took.
fn root(
    words: &[Token<'_>],
    roots: Roots,
    translated: &mut Translated,
) -> Result<usize, ExpressionError> {
    let Some(first) = words.first() else {
        return Ok(0);
    };
    let out = &mut translated.text;
    if let Some((peer, len)) = peer(words) {
        emit(first, peer, out);
        return Ok(len + fields(words.get(len..).unwrap_or_default(), out)?);
    }
    let name = first.text;
    let member = member(words);
    let mut absent = match (name, member) {
        ("request" | "response", Some((member, _))) => AbsentAttribute::http(name, member),
        ("filter_state", Some((key, _))) => {
            AbsentAttribute::property(key.strip_prefix(WASM).unwrap_or_default())
        }
        _ => AbsentAttribute::property(name),
    };
    match (roots, member) {
        (Roots::Legacy, Some((selected, len))) if name == "xds" && XDS.contains(&selected) => {
            emit(first, selected, out);
            return Ok(1 + len);
        }
        (Roots::Xds, _) if XDS.contains(&name) => emit(first, &format!("xds.{name}"), out),
        _ if BARE.contains(&name) || XDS.contains(&name) || absent.is_some() => {
            emit(first, name, out);
        }
        _ => {
            let nearest = nearest(name, BARE.into_iter().chain(XDS).chain(PEERS));
            if is_close(name, nearest) {
                return Err(ExpressionError::UnknownName {
                    name: name.to_owned(),
                    nearest,
                });
            }
            emit(first, name, out);
            absent = Some(AbsentAttribute::Property(name.to_owned()));
        }
    }
    if let Some(absent) = absent.filter(|absent| !translated.absent.contains(absent)) {
        translated.absent.push(absent);
    }
    Ok(1)
}

/// The member that `words` select of their first one, and how many words that takes besides it.
fn member<'a>(words: &[Token<'a>]) -> Option<(&'a str, usize)> {
    match texts(words) {
        [_, ".", name, ..] => Some((name, 2)),
        [_, "[", _, "]"] => Some((words.get(2)?.quoted()?, 3)),
        _ => None,
    }
}

/// The peer that `words` begins with, in any spelling, and how many words that is. In filter state
/// it has had three keys: `wasm.upstream_peer` until Istio 1.23, `upstream_peer` since, and
/// `upstream_peer_obj` beside that since 1.29.
fn peer(words: &[Token<'_>]) -> Option<(&'static str, usize)> {
    let first = words.first()?.text;
    let (name, len) = match (first, member(words)) {
        ("filter_state" | "upstream_filter_state", Some((key, len))) => {
            let key = key.strip_prefix(WASM).unwrap_or(key);
            (key.strip_suffix("_obj").unwrap_or(key), 1 + len)
        }
        _ => (first, 1),
    };
    PEERS
        .into_iter()
        .find(|peer| *peer == name)
        .map(|peer| (peer, len))
}

/// Translates the field of a peer that `words` begins with, if they do. A value in one of its maps
/// is a string here, a pair of key and value in Istio 1.7, where `.value` follows.
fn fields(words: &[Token<'_>], out: &mut String) -> Result<usize, ExpressionError> {
    let (name, len) = match texts(words) {
        [".", name, ..] => (name, 2),
        ["[", _, "]", ..] => match words.get(1).and_then(Token::quoted) {
            Some(name) => (name, 3),
            None => return Ok(0),
        },
        _ => return Ok(0),
    };
    if !PEER_FIELDS.contains(&name) {
        return Err(ExpressionError::UnknownPeerField {
            name: name.to_owned(),
            nearest: nearest(name, PEER_FIELDS.into_iter()),
        });
    }
    let member = match texts(words.get(len..).unwrap_or_default()) {
        ["[", _, "]", ..] => 3,
        [".", _, ..] => 2,
        _ => 0,
    };
    let kept = len + member;
    for word in words.iter().take(kept) {
        emit(word, word.text, out);
    }
    let value = member > 0
        && PEER_MAPS.contains(&name)
        && matches!(
            texts(words.get(kept..).unwrap_or_default()),
            [".", "value", ..]
        );
    Ok(if value { kept + 2 } else { kept })
}

/// The variables of macros: `x` in `list.exists(x, x == 1)`.
fn variables<'a>(words: &[Token<'a>]) -> Vec<&'a str> {
    const MACROS: [&str; 5] = ["all", "exists", "exists_one", "filter", "map"];
    let mut variables = Vec::new();
    for window in words.windows(4) {
        if let [name, "(", variable, ","] = texts(window)
            && MACROS.contains(&name)
        {
            variables.push(variable);
        }
    }
    variables
}

#[cfg(test)]
mod tests;
