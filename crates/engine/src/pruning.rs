//! What a filter says about the words that a matching row has: row groups without them need not be read.

use crate::row::resource_may_hold;
use crate::test::as_glob;
use arrow::datatypes::Schema;
use model::words::Phrase;
use query::filter::{Expression, Field, Literal, Operator};

/// Whether a row group may have a matching row, as far as its words tell; `has` says whether it may have a word.
pub fn may_match(filter: &Expression, schema: &Schema, has: &dyn Fn(&str) -> bool) -> bool {
    match filter {
        Expression::And(parts) => parts.iter().all(|part| may_match(part, schema, has)),
        Expression::Or(parts) => parts.iter().any(|part| may_match(part, schema, has)),
        Expression::Text(text) => as_glob(text).is_some() || all(&Phrase::new(text), has),
        Expression::Compare(comparison) if are_words(&comparison.field, schema) => {
            match comparison.operator {
                Operator::Equal if is_text(&comparison.value) => {
                    all(&Phrase::new(&comparison.value.text), has)
                }
                Operator::Matches if is_text(&comparison.value) => inner(&comparison.value.text, has),
                _ => true,
            }
        }
        Expression::All | Expression::Not(_) | Expression::Compare(_) | Expression::Exists(_) => true,
    }
}

fn all(phrase: &Phrase, has: &dyn Fn(&str) -> bool) -> bool {
    phrase.words().iter().all(|word| has(word))
}

/// A part of a text may begin and end within a word; those between are whole.
fn inner(text: &str, has: &dyn Fn(&str) -> bool) -> bool {
    // Between backslashes one cannot tell what is a word.
    let phrase = if text.contains('\\') { Phrase::new("") } else { Phrase::new(text) };
    let words = phrase.words();
    words.get(1..words.len().saturating_sub(1)).unwrap_or_default().iter().all(|word| has(word))
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
        Field::Attribute(key) => !resource_may_hold(schema, key),
        _ => false,
    }
}
