//! How operators and aggregations are written.

use super::{Aggregator, BinaryOperator, MatcherOperator};

/// As they are written, and how tight they bind.
const OPERATORS: [(BinaryOperator, &str, u8); 18] = [
    (BinaryOperator::Or, "or", 1),
    (BinaryOperator::And, "and", 2),
    (BinaryOperator::Unless, "unless", 2),
    (BinaryOperator::Equal, "==", 3),
    (BinaryOperator::NotEqual, "!=", 3),
    (BinaryOperator::Greater, ">", 3),
    (BinaryOperator::Less, "<", 3),
    (BinaryOperator::GreaterOrEqual, ">=", 3),
    (BinaryOperator::LessOrEqual, "<=", 3),
    (BinaryOperator::TrimUpper, "</", 3),
    (BinaryOperator::TrimLower, ">/", 3),
    (BinaryOperator::Add, "+", 4),
    (BinaryOperator::Subtract, "-", 4),
    (BinaryOperator::Multiply, "*", 5),
    (BinaryOperator::Divide, "/", 5),
    (BinaryOperator::Modulo, "%", 5),
    (BinaryOperator::Atan2, "atan2", 5),
    (BinaryOperator::Power, "^", 6),
];

impl BinaryOperator {
    /// The operator that is written like this, in lower case.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        OPERATORS.into_iter().find(|(_, written, _)| *written == text).map(|(operator, ..)| operator)
    }

    /// How it is written.
    #[must_use]
    pub fn text(self) -> &'static str {
        OPERATORS.into_iter().find(|(operator, ..)| *operator == self).map_or("", |(_, text, _)| text)
    }

    /// 1 binds least.
    pub(super) fn tightness(self) -> u8 {
        OPERATORS.into_iter().find(|(operator, ..)| *operator == self).map_or(0, |(.., tightness)| tightness)
    }

    /// `and`, `or`, `unless`.
    #[must_use]
    pub const fn is_set(self) -> bool {
        matches!(self, Self::And | Self::Or | Self::Unless)
    }

    /// `==`, `!=`, `>`, `<`, `>=`, `<=`.
    #[must_use]
    pub const fn is_comparison(self) -> bool {
        matches!(
            self,
            Self::Equal
                | Self::NotEqual
                | Self::Greater
                | Self::Less
                | Self::GreaterOrEqual
                | Self::LessOrEqual
        )
    }

    /// `+`, `-`, `*`, `/`, `%`, `^`, `atan2`.
    #[must_use]
    pub const fn is_arithmetic(self) -> bool {
        !self.is_set() && !self.is_comparison() && !matches!(self, Self::TrimUpper | Self::TrimLower)
    }
}

impl MatcherOperator {
    /// How it is written.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "!=",
            Self::Matches => "=~",
            Self::MatchesNot => "!~",
        }
    }
}

const AGGREGATORS: [(&str, Aggregator); 14] = [
    ("sum", Aggregator::Sum),
    ("avg", Aggregator::Average),
    ("min", Aggregator::Minimum),
    ("max", Aggregator::Maximum),
    ("group", Aggregator::Group),
    ("count", Aggregator::Count),
    ("count_values", Aggregator::CountValues),
    ("stddev", Aggregator::StandardDeviation),
    ("stdvar", Aggregator::StandardVariance),
    ("quantile", Aggregator::Quantile),
    ("topk", Aggregator::TopK),
    ("bottomk", Aggregator::BottomK),
    ("limitk", Aggregator::LimitK),
    ("limit_ratio", Aggregator::LimitRatio),
];

impl Aggregator {
    /// All of them, and what they are called.
    pub fn all() -> impl Iterator<Item = (&'static str, Self)> {
        AGGREGATORS.into_iter()
    }

    /// The aggregation of this name, in lower case.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        AGGREGATORS.into_iter().find(|(written, _)| *written == name).map(|(_, aggregator)| aggregator)
    }

    /// What it is called.
    #[must_use]
    pub fn name(self) -> &'static str {
        AGGREGATORS.into_iter().find(|(_, aggregator)| *aggregator == self).map_or("", |(name, _)| name)
    }

    /// Whether it takes a number, or a label, before the expression.
    #[must_use]
    pub const fn has_parameter(self) -> bool {
        matches!(
            self,
            Self::CountValues | Self::Quantile | Self::TopK | Self::BottomK | Self::LimitK | Self::LimitRatio
        )
    }
}
