//! One language for the names of Istio 1.7, of modern Istio and of the host.
//!
//! Configurations name the same things differently: `node.metadata[…]` and `xds.node.metadata[…]`,
//! `upstream_peer.labels['app'].value` and `filter_state.upstream_peer.labels['app']`. The peer of
//! either spelling is the one that this filter publishes (`wasm.upstream_peer`, to which a host
//! resolves the bare name); the rest is under the root where this host keeps it.

use super::ExpressionError;
use super::token::{Kind, Token, tokens};
use crate::attributes::Roots;
use crate::nearest::nearest;

/// What hosts keep under `xds` today and kept bare before.
const XDS: [&str; 11] = [
    "cluster_metadata",
    "cluster_name",
    "filter_chain_name",
    "listener_direction",
    "listener_metadata",
    "node",
    "route_metadata",
    "route_name",
    "upstream_host_locality_metadata",
    "upstream_host_metadata",
    "virtual_host_name",
];

/// The peers that this filter publishes.
const PEERS: [&str; 2] = ["downstream_peer", "upstream_peer"];

/// Attributes that were always bare, and the words of CEL itself.
const BARE: [&str; 30] = [
    "xds",
    "filter_state",
    "upstream_filter_state",
    "connection",
    "connection_id",
    "upstream",
    "source",
    "destination",
    "request",
    "response",
    "metadata",
    "plugin_name",
    "plugin_root_id",
    "plugin_vm_id",
    "true",
    "false",
    "null",
    "in",
    "int",
    "uint",
    "double",
    "bool",
    "string",
    "bytes",
    "list",
    "map",
    "null_type",
    "type",
    "google",
    "dyn",
];

/// The fields of a published peer, and those that peers of Istio 1.7 had besides.
const PEER_FIELDS: [&str; 19] = [
    "app",
    "availability_zone",
    "cluster",
    "cluster_id",
    "identity",
    "istio_version",
    "labels",
    "mesh_id",
    "name",
    "namespace",
    "owner",
    "platform_metadata",
    "region",
    "revision",
    "service",
    "type",
    "version",
    "workload",
    "workload_name",
];

/// Puts an expression into the host's names.
///
/// # Errors
/// A name in it does not exist.
pub(super) fn translate(text: &str, roots: Roots) -> Result<String, ExpressionError> {
    let words = tokens(text)?;
    let variables = variables(&words);
    let mut translated = String::with_capacity(text.len() + 16);
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
                emit(word, word.text, &mut translated);
                1
            }
        };
        before = rest.get(taken - 1).map_or("", |token| token.text);
        rest = rest.get(taken..).unwrap_or_default();
    }
    Ok(translated)
}

/// Writes `text` in the place of `word`.
fn emit(word: &Token<'_>, text: &str, out: &mut String) {
    if word.spaced && !out.is_empty() {
        out.push(' ');
    }
    out.push_str(text);
}

/// The parts of an expression that is nothing but the path of an attribute: `a.b['c']`.
pub(super) fn path(text: &str) -> Option<Vec<String>> {
    let words = tokens(text).ok()?;
    let (first, mut rest) = words.split_first()?;
    let is_name = |token: &Token<'_>| token.kind == Kind::Identifier;
    let is_attribute = BARE
        .into_iter()
        .chain(XDS)
        .chain(PEERS)
        .any(|name| name == first.text);
    let mut path = vec![first.text.to_owned()];
    while !rest.is_empty() {
        let (part, behind) = match rest {
            [dot, name, behind @ ..] if dot.text == "." && is_name(name) => (name.text, behind),
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
fn root(words: &[Token<'_>], roots: Roots, out: &mut String) -> Result<usize, ExpressionError> {
    let Some(first) = words.first() else {
        return Ok(0);
    };
    if let Some((peer, len)) = peer(words) {
        emit(first, peer, out);
        return Ok(len + fields(words.get(len..).unwrap_or_default(), out)?);
    }
    let name = first.text;
    let selected = match texts(words) {
        ["xds", ".", selected, ..] => Some(selected),
        _ => None,
    };
    match (roots, selected) {
        (Roots::Legacy, Some(selected)) if XDS.contains(&selected) => {
            emit(first, selected, out);
            return Ok(3);
        }
        (Roots::Xds, None) if XDS.contains(&name) => emit(first, &format!("xds.{name}"), out),
        _ if BARE.contains(&name) || XDS.contains(&name) => emit(first, name, out),
        _ => {
            let known = BARE.into_iter().chain(XDS).chain(PEERS);
            return Err(ExpressionError::UnknownName {
                name: name.to_owned(),
                nearest: nearest(name, known),
            });
        }
    }
    Ok(1)
}

/// The peer that `words` begins with, in any spelling, and how many words that is.
fn peer<'a>(words: &[Token<'a>]) -> Option<(&'a str, usize)> {
    let (name, len) = match texts(words) {
        ["filter_state" | "upstream_filter_state", ".", name, ..] => (name, 3),
        ["filter_state" | "upstream_filter_state", "[", _, "]"] => (words.get(2)?.quoted()?, 4),
        [name, ..] => (name, 1),
    };
    PEERS.contains(&name).then_some((name, len))
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
        && ["labels", "platform_metadata"].contains(&name)
        && matches!(
            texts(words.get(kept..).unwrap_or_default()),
            [".", "value", ..]
        );
    Ok(if value { kept + 2 } else { kept })
}

/// The texts of the first four words; `""` where there are fewer.
fn texts<'a>(words: &[Token<'a>]) -> [&'a str; 4] {
    let mut texts = [""; 4];
    for (text, word) in texts.iter_mut().zip(words) {
        *text = word.text;
    }
    texts
}

/// The variables of macros: `x` in `list.exists(x, x == 1)`.
fn variables<'a>(words: &[Token<'a>]) -> Vec<&'a str> {
    let variable = |window: &[Token<'a>]| match texts(window) {
        [
            "all" | "exists" | "exists_one" | "filter" | "map",
            "(",
            name,
            ",",
        ] => Some(name),
        _ => None,
    };
    words.windows(4).filter_map(variable).collect()
}

#[cfg(test)]
mod tests;
