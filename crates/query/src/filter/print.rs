//! Writes a filter's tree as text that reads back as the same tree.

use super::lexer::MISTAKEN;
use super::{Expression, Field, Operator};

/// The canonical text of a filter: [`super::parse`] reads it back as the same tree.
///
/// ```
/// use clew_query as query;
/// let filter = query::filter::parse("kind:tool  AND (a:1 OR b:2)").unwrap();
/// assert_eq!(query::filter::print(&filter), "kind:tool (a:1 OR b:2)");
/// ```
#[must_use]
pub fn print(expression: &Expression) -> String {
    match expression {
        Expression::All => String::new(),
        Expression::And(parts) => joined(parts, " "),
        Expression::Or(parts) => joined(parts, " OR "),
        Expression::Not(inner) => format!("-{}", grouped(inner)),
        Expression::Text(text) => word(text),
        Expression::Exists(field) => match field {
            Field::Attribute(key) if key == "error" => "has:\"error\"".to_owned(),
            field => format!("has:{}", field_key(field, is_plain_value)),
        },
        Expression::Compare(comparison) => {
            let key = field_key(&comparison.field, is_plain_word);
            let value = &comparison.value.text;
            let (operator, value) = match comparison.operator {
                Operator::Matches => (":", quoted_unless(value, is_plain_match)),
                Operator::Glob => (":", value.clone()),
                Operator::Equal => (":=", quoted_unless(value, is_plain_value)),
                Operator::Less => (":<", quoted_unless(value, is_plain_value)),
                Operator::LessOrEqual => (":<=", quoted_unless(value, is_plain_value)),
                Operator::Greater => (":>", quoted_unless(value, is_plain_value)),
                Operator::GreaterOrEqual => (":>=", quoted_unless(value, is_plain_value)),
            };
            format!("{key}{operator}{value}")
        }
    }
}

fn joined(parts: &[Expression], by: &str) -> String {
    parts.iter().map(grouped).collect::<Vec<_>>().join(by)
}

fn grouped(expression: &Expression) -> String {
    match expression {
        Expression::And(_) | Expression::Or(_) => format!("({})", print(expression)),
        _ => print(expression),
    }
}

/// An attribute that is called like a short name is quoted, so that it is not taken for it.
fn field_key(field: &Field, is_plain: fn(&str) -> bool) -> String {
    let key = field.key();
    if Field::from_key(&key) == *field { quoted_unless(&key, is_plain) } else { quoted(&key) }
}

fn is_plain_text(text: &str) -> bool {
    let splits = |character: char| character.is_whitespace() || matches!(character, '(' | ')' | '"' | '\\');
    !text.is_empty() && !text.contains(splits)
}

/// Whether it can stand after an operator without being taken for part of it.
fn is_plain_value(text: &str) -> bool {
    is_plain_text(text)
        && !text.starts_with(['=', '<', '>'])
        && !MISTAKEN.iter().any(|(mistaken, _)| text.starts_with(mistaken))
}

fn is_plain_match(text: &str) -> bool {
    is_plain_value(text) && !text.contains('*') && !text.contains("..")
}

/// Whether it can start a term.
fn is_plain_word(text: &str) -> bool {
    is_plain_text(text)
        && !text.contains(':')
        && !text.starts_with('-')
        && !matches!(text, "AND" | "OR" | "NOT" | "has")
}

fn quoted_unless(text: &str, is_plain: impl Fn(&str) -> bool) -> String {
    if is_plain(text) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// A searched word, quoted where it would read as something else.
fn word(text: &str) -> String {
    quoted_unless(text, |text| is_plain_word(text) && !text.contains(['=', '<', '>', '!']))
}
