//! A CEL expression in the configuration.

use super::error::ConfigError;
use super::expression::error::ExpressionError;
use super::value::Field;

/// A CEL expression and its place.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Cel {
    /// The key's place, for errors.
    pub path: String,
    /// The expression.
    pub text: String,
}

impl Cel {
    pub(super) fn parse(field: &Field<'_>) -> Result<Self, ConfigError> {
        Ok(Self {
            path: field.path().to_owned(),
            text: field.string()?.to_owned(),
        })
    }

    /// The error for an expression that cannot be evaluated.
    pub(crate) fn error(&self, reason: ExpressionError) -> ConfigError {
        ConfigError::Expression {
            path: self.path.clone(),
            found: self.text.clone(),
            reason,
        }
    }
}
