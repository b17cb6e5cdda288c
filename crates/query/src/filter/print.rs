//! Writes a filter's tree as text that reads back as the same tree.

use super::{Expression, Operator};

/// The canonical text of a filter.
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
        Expression::Text(text) => word(text, false),
        Expression::Exists(field) => format!("has:{}", quoted_unless(&field.key(), plain_value)),
        Expression::Compare(comparison) => {
            let key = word(&comparison.field.key(), true);
            let value = &comparison.value.text;
            let (operator, value) = match comparison.operator {
                Operator::Matches => (
                    ":",
                    quoted_unless(value, |text| {
                        plain_value(text) && !text.contains('*') && !text.contains("..")
                    }),
                ),
                Operator::Glob => (":", value.clone()),
                Operator::Equal => (":=", quoted_unless(value, plain_value)),
                Operator::Less => (":<", quoted_unless(value, plain_value)),
                Operator::LessOrEqual => (":<=", quoted_unless(value, plain_value)),
                Operator::Greater => (":>", quoted_unless(value, plain_value)),
                Operator::GreaterOrEqual => (":>=", quoted_unless(value, plain_value)),
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

fn plain_value(text: &str) -> bool {
    !text.is_empty()
        && !text.contains(|character: char| {
            character.is_whitespace() || matches!(character, '(' | ')' | '"' | '\\')
        })
}

fn quoted_unless(text: &str, plain: impl Fn(&str) -> bool) -> String {
    if plain(text) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    format!("\"{escaped}\"")
}

/// A key or a searched word, quoted where it would read as something else.
fn word(text: &str, key: bool) -> String {
    let plain = plain_value(text)
        && !text.contains(':')
        && !text.starts_with('-')
        && !matches!(text, "AND" | "OR" | "NOT")
        && !matches!((key, text), (true, "has"));
    if plain { text.to_owned() } else { quoted(text) }
}
