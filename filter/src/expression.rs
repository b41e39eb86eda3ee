//! CEL expressions, compiled and evaluated by the host.
//!
//! Envoy's foreign functions `expr_create` and `expr_evaluate`
//! (`source/extensions/common/wasm/foreign.cc`). The text goes to the host in its own names, see
//! [`dialect`].

mod dialect;
mod error;
mod token;

use crate::attributes::Roots;
use crate::host::{Host, Status};
pub use error::ExpressionError;

/// An expression of [`Expressions`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct ExpressionId(usize);

/// The compiled expressions of a plugin; the same text is compiled once.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    compiled: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    text: String,
    /// What the host calls it.
    token: Vec<u8>,
    /// The path, if it is nothing but an attribute's.
    path: Option<String>,
}

/// Where the host is when expressions are evaluated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Moment {
    /// In a callback of the connection.
    Callback,
    /// In a tick, with the connection as the effective context. Expressions see the context of
    /// the callback, which is the plugin's; properties see the effective one (measured in
    /// Envoy 1.40). So what is only a path has its value, and what is more has none.
    Tick,
}

/// What the expressions are worth for one connection.
#[derive(Debug, Default)]
pub(crate) struct Values(Vec<Vec<u8>>);

impl Expressions {
    /// Compiles an expression of the configuration.
    ///
    /// # Errors
    /// It has a name that does not exist, or the host does not accept it.
    pub(crate) fn compile<H: Host>(
        &mut self,
        host: &H,
        roots: Roots,
        text: &str,
    ) -> Result<ExpressionId, ExpressionError> {
        let text = dialect::translate(text, roots)?;
        if let Some(known) = self.compiled.iter().position(|known| known.text == text) {
            return Ok(ExpressionId(known));
        }
        let token = host
            .call_foreign_function("expr_create", text.as_bytes())
            .map_err(|status| match status {
                Status::NOT_FOUND => ExpressionError::NoCel,
                status => ExpressionError::Refused(status),
            })?;
        let path = dialect::path(&text).map(|parts| parts.join("\0"));
        self.compiled.push(Compiled { text, token, path });
        Ok(ExpressionId(self.compiled.len() - 1))
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }

    /// Evaluates all of them for the effective context. What cannot be evaluated has no value.
    pub(crate) fn evaluate<H: Host>(&self, host: &H, moment: Moment) -> Values {
        let value = |Compiled { token, path, .. }: &Compiled| match (moment, path) {
            (Moment::Tick, Some(path)) => host.property(path).ok().flatten().unwrap_or_default(),
            _ => host
                .call_foreign_function("expr_evaluate", token)
                .unwrap_or_default(),
        };
        Values(self.compiled.iter().map(value).collect())
    }
}

impl Values {
    /// The value as a label has it; `None` when there is none.
    ///
    /// The host gives bytes without their type: a string as it is, a number in 8 little-endian
    /// bytes, a boolean in one. 8 bytes that are text are taken for text.
    pub(crate) fn text(&self, id: ExpressionId) -> Option<String> {
        let raw = self.0.get(id.0)?;
        match (raw.as_slice(), self.integer(id)) {
            ([], _) => None,
            ([0], _) => Some("false".to_owned()),
            ([1], _) => Some("true".to_owned()),
            (raw, integer) => match std::str::from_utf8(raw) {
                Ok(text) if !text.contains(char::is_control) => Some(text.to_owned()),
                _ if raw.len() == 8 => integer.map(|integer| integer.to_string()),
                _ => Some(String::from_utf8_lossy(raw).into_owned()),
            },
        }
    }

    /// Whether a condition holds.
    pub(crate) fn holds(&self, id: ExpressionId) -> bool {
        self.0.get(id.0).is_some_and(|raw| *raw == [1])
    }

    /// The value as a number: an integer, a boolean as 0 or 1, or digits; `None` for all else.
    pub(crate) fn integer(&self, id: ExpressionId) -> Option<i64> {
        match self.0.get(id.0)?.as_slice() {
            [boolean @ (0 | 1)] => Some(i64::from(*boolean)),
            raw => {
                let digits = std::str::from_utf8(raw)
                    .ok()
                    .and_then(|text| text.parse().ok());
                digits.or_else(|| raw.try_into().ok().map(i64::from_le_bytes))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::FakeHost;

    fn values(raw: &[u8]) -> (Option<String>, Option<i64>, bool) {
        let values = Values(vec![raw.to_vec()]);
        let id = ExpressionId(0);
        (values.text(id), values.integer(id), values.holds(id))
    }

    #[test]
    fn bytes_are_read_by_their_shape() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(values(b"ratings"), (text("ratings"), None, false));
        assert_eq!(values(b""), (None, None, false));
        assert_eq!(values(&[1]), (text("true"), Some(1), true));
        assert_eq!(values(&[0]), (text("false"), Some(0), false));
        assert_eq!(values(b"1"), (text("1"), Some(1), false));
        assert_eq!(
            values(b"12345678"),
            (text("12345678"), Some(12_345_678), false)
        );
        assert_eq!(
            values(&27017i64.to_le_bytes()),
            (text("27017"), Some(27017), false)
        );
        assert_eq!(
            values(&(-1i64).to_le_bytes()),
            (text("-1"), Some(-1), false)
        );
        assert_eq!(values(b"a\nb").0, text("a\nb"));
    }

    #[test]
    fn the_same_text_is_compiled_once() {
        let host = FakeHost::default();
        let mut expressions = Expressions::default();
        let mut compile = |text: &str| expressions.compile(&&host, Roots::Xds, text);
        assert_eq!(compile("node.id"), Ok(ExpressionId(0)));
        assert_eq!(compile("'x'"), Ok(ExpressionId(1)));
        assert_eq!(compile("xds.node.id"), Ok(ExpressionId(0)));
        assert_eq!(host.foreign.borrow().len(), 2);
    }

    #[test]
    fn a_refusal_says_whose_it_is() {
        let host = FakeHost::default();
        for (status, refusal) in [
            (
                Status::BAD_ARGUMENT,
                ExpressionError::Refused(Status::BAD_ARGUMENT),
            ),
            (Status::NOT_FOUND, ExpressionError::NoCel),
        ] {
            host.fail_from.set(Some((1, status)));
            let compiled = Expressions::default().compile(&&host, Roots::Xds, "1 +");
            assert_eq!(compiled, Err(refusal));
        }
    }
}
