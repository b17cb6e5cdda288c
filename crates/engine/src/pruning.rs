//! What a filter says about the words that a matching row has: row groups without them need not be read.

use crate::predicate::spellings;
use crate::row::resource_may_hold;
use crate::test::as_glob;
use arrow::datatypes::Schema;
use model::words::Phrase;
use query::filter::{Expression, Field, Literal, Operator};

/// The words without which a row group has no matching row.
pub enum Needs {
    Nothing,
    Words(Vec<String>),
    All(Vec<Self>),
    Any(Vec<Self>),
}

impl Needs {
    /// Those of a filter over columns of this schema.
    pub fn of(filter: &Expression, schema: &Schema) -> Self {
        let each = |parts: &[Expression]| parts.iter().map(|part| Self::of(part, schema)).collect();
        match filter {
            Expression::And(parts) => Self::All(each(parts)),
            Expression::Or(parts) => Self::Any(each(parts)),
            Expression::Text(text) if as_glob(text).is_none() => Self::Words(words(text)),
            Expression::Compare(comparison)
                if are_words(&comparison.field, schema) && is_text(&comparison.value) =>
            {
                match comparison.operator {
                    Operator::Equal => Self::Words(words(&comparison.value.text)),
                    Operator::Matches => Self::Words(inner_words(&comparison.value.text)),
                    _ => Self::Nothing,
                }
            }
            Expression::All
            | Expression::Not(_)
            | Expression::Text(_)
            | Expression::Compare(_)
            | Expression::Exists(_) => Self::Nothing,
        }
    }

    /// Whether every row group meets them, whatever its words.
    pub fn are_none(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Words(words) => words.is_empty(),
            Self::All(parts) => parts.iter().all(Self::are_none),
            Self::Any(parts) => parts.iter().any(Self::are_none),
        }
    }

    /// Whether a row group meets them; `has` says whether it may have a word.
    pub fn are_met(&self, has: &dyn Fn(&str) -> bool) -> bool {
        match self {
            Self::Nothing => true,
            Self::Words(words) => words.iter().all(|word| has(word)),
            Self::All(parts) => parts.iter().all(|part| part.are_met(has)),
            Self::Any(parts) => parts.iter().any(|part| part.are_met(has)),
        }
    }
}

fn words(text: &str) -> Vec<String> {
    Phrase::new(text).words().to_vec()
}

/// A part of a text may begin and end within a word; those between are whole. Between backslashes one cannot tell.
fn inner_words(text: &str) -> Vec<String> {
    let words = if text.contains('\\') { Vec::new() } else { words(text) };
    words.get(1..words.len().saturating_sub(1)).unwrap_or_default().to_vec()
}

/// What is compared as text alone: numbers and booleans have columns without words.
fn is_text(literal: &Literal) -> bool {
    literal.number.is_none() && !["true", "false"].contains(&literal.text.to_lowercase().as_str())
}

/// Whether all values of a field are among the words.
fn are_words(field: &Field, schema: &Schema) -> bool {
    match field {
        Field::Name
        | Field::StatusMessage
        | Field::Body
        | Field::Agent
        | Field::Model
        | Field::Tool
        | Field::Provider
        | Field::Session
        | Field::User
        | Field::Input
        | Field::Output => true,
        Field::Attribute(key) => !spellings(key).any(|key| resource_may_hold(schema, key)),
        _ => false,
    }
}
