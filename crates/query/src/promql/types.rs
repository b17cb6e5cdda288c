//! The types of expressions.

use super::{Expression, Node, functions};
use std::fmt;

/// What an expression answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueType {
    /// A number.
    Scalar,
    /// A text.
    String,
    /// A sample of each series.
    Vector,
    /// Samples of each series over a time.
    Matrix,
}

impl ValueType {
    /// What Prometheus' API calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "vector",
            Self::Matrix => "matrix",
        }
    }
}

/// As in sentences: `range vector`.
impl fmt::Display for ValueType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Scalar => "scalar",
            Self::String => "string",
            Self::Vector => "instant vector",
            Self::Matrix => "range vector",
        })
    }
}

impl Expression {
    /// What it answers.
    #[must_use]
    pub fn value_type(&self) -> ValueType {
        match &self.node {
            Node::Number(_) | Node::Duration(_) => ValueType::Scalar,
            Node::String(_) => ValueType::String,
            Node::Selector(_) | Node::Aggregation(_) => ValueType::Vector,
            Node::Range(_) | Node::Subquery(_) => ValueType::Matrix,
            Node::Parentheses(inner) | Node::Sign { operand: inner, .. } => inner.value_type(),
            Node::Binary(binary) => {
                let scalar = |side: &Self| side.value_type() == ValueType::Scalar;
                let both = scalar(&binary.left) && scalar(&binary.right);
                if both { ValueType::Scalar } else { ValueType::Vector }
            }
            Node::Call { function, .. } => {
                functions::find(function).map_or(ValueType::Vector, |function| function.answers)
            }
        }
    }
}
