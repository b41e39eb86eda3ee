//! CEL expressions, compiled and evaluated by the host.
//!
//! Envoy's foreign functions `expr_create` and `expr_evaluate`
//! (`source/extensions/common/wasm/foreign.cc`). The text goes to the host in its own names, see
//! [`dialect`].

mod dialect;
pub(super) mod error;
mod names;
mod presence;
mod token;
mod values;

use crate::host::attributes::Roots;
use crate::host::{Host, Status};

pub use error::ExpressionError;
pub(crate) use names::{AbsentAttribute, PEER_MAPS};
pub(crate) use values::{ExpressionId, ExpressionValues};

/// The compiled expressions of a plugin; the same text is compiled once.
#[derive(Debug, Default)]
pub(crate) struct Expressions {
    compiled: Vec<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    text: String,
    evaluation: Evaluation,
}

/// How the host is asked for a value.
#[derive(Debug)]
enum Evaluation {
    /// The expression is only the path of an attribute, which is read as a property: in Envoy that
    /// takes two thirds of the instructions of an evaluation. In a tick, Envoy reads properties in
    /// the effective context.
    Property(String),
    /// The host's token for the expression. In a tick, Envoy evaluates it in the context of the
    /// callback, which is the plugin's and not the connection's, so it has no value (measured in
    /// Envoy 1.40).
    Expression(Vec<u8>),
}

impl Expressions {
    /// Compiles an expression of the configuration. `absent` is called for each attribute in it
    /// that TCP connections do not have.
    ///
    /// # Errors
    /// It has a name that does not exist, or the host does not accept it.
    pub(crate) fn compile<H: Host>(
        &mut self,
        host: &H,
        roots: Roots,
        text: &str,
        mut absent: impl FnMut(&AbsentAttribute),
    ) -> Result<ExpressionId, ExpressionError> {
        let translated = dialect::translate(text, roots)?;
        translated.absent.iter().for_each(&mut absent);
        let text = translated.text;
        if let Some(known) = self.compiled.iter().position(|known| known.text == text) {
            return Ok(ExpressionId(known));
        }
        let evaluation = match dialect::path(&text) {
            Some(parts) => Evaluation::Property(parts.join("\0")),
            None => {
                let token = host.call_foreign_function("expr_create", text.as_bytes());
                Evaluation::Expression(token.map_err(|status| match status {
                    Status::NOT_FOUND => ExpressionError::NoCel,
                    status => ExpressionError::Refused(status),
                })?)
            }
        };
        self.compiled.push(Compiled { text, evaluation });
        Ok(ExpressionId(self.compiled.len() - 1))
    }

    /// Whether no expression is configured.
    pub(crate) fn is_empty(&self) -> bool {
        self.compiled.is_empty()
    }

    /// Evaluates all expressions in the effective context. One that fails has no value.
    pub(crate) fn evaluate<H: Host>(&self, host: &H) -> ExpressionValues {
        let mut values = Vec::with_capacity(self.compiled.len());
        for Compiled { evaluation, .. } in &self.compiled {
            let value = match evaluation {
                Evaluation::Property(path) => host.property(path).ok().flatten(),
                Evaluation::Expression(token) => {
                    host.call_foreign_function("expr_evaluate", token).ok()
                }
            };
            values.push(value.unwrap_or_default());
        }
        ExpressionValues(values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::fake::FakeHost;

    fn values(raw: &[u8]) -> (Option<String>, Option<i64>, bool) {
        let values = ExpressionValues(vec![raw.to_vec()]);
        let id = ExpressionId(0);
        (values.text(id), values.integer(id), values.holds(id))
    }

    #[test]
    fn the_type_of_bytes_depends_on_their_form() {
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
    fn a_whole_double_is_a_number() {
        for (double, number) in [
            (3.0, Some(3)),
            (-27017.0, Some(-27017)),
            (0.0, Some(0)),
            (1e15, Some(1_000_000_000_000_000)),
            (9_007_199_254_740_991.0, Some(9_007_199_254_740_991)),
            (9_007_199_254_740_992.0, None),
            (0.5, None),
            (1e300, None),
            (f64::NAN, None),
        ] {
            let label = number.map(|number: i64| number.to_string());
            let (text, integer, _) = values(&f64::to_le_bytes(double));
            assert_eq!((text, integer), (label, number), "{double}");
        }
        // A point in time in nanoseconds.
        let time = 1_790_000_000_000_000_000i64;
        assert_eq!(values(&time.to_le_bytes()).1, Some(time));
        let largest = (1i64 << 61) - 1;
        assert_eq!(values(&largest.to_le_bytes()).1, Some(largest));
        assert_eq!(values(&(largest + 1).to_le_bytes()).1, None);
    }

    #[test]
    fn values_that_are_neither_text_nor_number_are_unusable() {
        for (raw, unusable) in [
            (b"".as_slice(), 0),
            (b"text", 0),
            (b"\x01", 0),
            (b"\xff\xff\xff\xff\xff\xff\xff\xff", 0),
            // A map, an empty one, and a list.
            (b"\x01\0\0\0\x01\0\0\0\x01\0\0\0a\0b\0", 1),
            (b"\0\0\0\0", 1),
            (b"\x01\0\0\0\x01\0\0\0\0\0\0\0a\0\0", 1),
            // Messages.
            (b"\n\ttext-of-9", 1),
            (b"\x12\x03abc", 1),
            // An address of 4 and one of 16 bytes.
            (b"\x0a\0\0\x01", 1),
            (b"\xfe\x80\0\0\0\0\0\0\0\0\0\0\0\0\0\x01", 1),
            (b"text\xff", 1),
            (b"\xff", 1),
        ] {
            let values = ExpressionValues(vec![b"fine".to_vec(), raw.to_vec()]);
            assert_eq!(values.unusable(), unusable, "{raw:?}");
            let shown = values.text(ExpressionId(1));
            assert_eq!(shown.is_none(), unusable == 1 || raw.is_empty(), "{raw:?}");
        }
    }

    #[test]
    fn the_same_text_is_compiled_once() {
        let host = FakeHost::default();
        let mut expressions = Expressions::default();
        let mut compile = |text: &str| expressions.compile(&&host, Roots::Xds, text, |_| {});
        assert_eq!(compile("node.id"), Ok(ExpressionId(0)));
        assert_eq!(compile("'x'"), Ok(ExpressionId(1)));
        assert_eq!(compile("xds.node.id"), Ok(ExpressionId(0)));
        assert_eq!(compile("'x'"), Ok(ExpressionId(1)));
        assert_eq!(host.foreign.borrow().len(), 1);
    }

    #[test]
    fn a_rejected_expression_is_distinct_from_a_host_without_cel() {
        let host = FakeHost::default();
        for (status, refusal) in [
            (
                Status::BAD_ARGUMENT,
                ExpressionError::Refused(Status::BAD_ARGUMENT),
            ),
            (Status::NOT_FOUND, ExpressionError::NoCel),
        ] {
            host.fail_from.set(Some((1, status)));
            let compiled = Expressions::default().compile(&&host, Roots::Xds, "1 +", |_| {});
            assert_eq!(compiled, Err(refusal));
        }
    }
}
