//! One term of a filter: a key, an operator and a value that suits the key, or a bare word.

use super::lexer::Placed;
use super::parser::error;
use super::{Comparison, Expression, Field, Literal, Operator, ParseError, literal};

/// What stands before the operator. A quoted key is always an attribute's, never a short name.
#[derive(Clone, Copy)]
pub struct Key<'t> {
    pub text: &'t str,
    pub quoted: bool,
}

/// What stands after it.
pub struct Value<'t> {
    pub text: &'t str,
    pub quoted: bool,
    pub place: &'t Placed,
}

fn field(text: &str, quoted: bool) -> Field {
    match Field::from_key(text) {
        field @ (Field::Attribute(_) | Field::ResourceAttribute(_)) => field,
        _ if quoted => Field::Attribute(text.to_owned()),
        field => field,
    }
}

/// A bare word, unless it is a comparison that lacks its colon.
pub fn text(place: &Placed, word: &Key<'_>) -> Result<Expression, ParseError> {
    let split = word.text.find(['=', '<', '>', '!']).filter(|_| !word.quoted);
    if let Some((key, rest)) = split.and_then(|at| word.text.split_at_checked(at))
        && Field::known_keys().contains(&key)
    {
        let message = match rest.strip_prefix("!=") {
            Some(value) => format!("a colon is missing; write -{key}:={value}"),
            None => format!("a colon is missing; write {key}:{}", rest.replacen("==", "=", 1)),
        };
        return Err(error(place, message));
    }
    Ok(Expression::Text(word.text.to_owned()))
}

pub fn compare(key: &Key<'_>, operator: &str, value: &Value<'_>) -> Result<Expression, ParseError> {
    if key.text == "has" && !key.quoted {
        return exists(operator, value);
    }
    let field = field(key.text, key.quoted);
    if let (":", Some((from, to))) = (operator, range(&field, value)) {
        let side = |operator, text| {
            if literal::read(&field, text).number.is_none() {
                return Err(error(value.place, not_a_number(text)));
            }
            comparison(&field, operator, text, value.place)
        };
        return Ok(Expression::And(vec![
            side(Operator::GreaterOrEqual, from)?,
            side(Operator::LessOrEqual, to)?,
        ]));
    }
    let operator = match operator {
        ":=" => Operator::Equal,
        ":>" => Operator::Greater,
        ":>=" => Operator::GreaterOrEqual,
        ":<" => Operator::Less,
        ":<=" => Operator::LessOrEqual,
        _ if !value.quoted && value.text.contains('*') => Operator::Glob,
        _ => Operator::Matches,
    };
    comparison(&field, operator, value.text, value.place)
}

fn exists(operator: &str, value: &Value<'_>) -> Result<Expression, ParseError> {
    if operator != ":" {
        return Err(error(value.place, format!("has takes a key; write has:{}", value.text)));
    }
    if value.text == "error" && !value.quoted {
        return comparison(&Field::Status, Operator::Equal, "error", value.place);
    }
    Ok(Expression::Exists(field(value.text, value.quoted)))
}

/// `1..5`; two dots between texts are part of the text.
fn range<'t>(field: &Field, value: &Value<'t>) -> Option<(&'t str, &'t str)> {
    let (from, to) = value.text.split_once("..").filter(|_| !value.quoted)?;
    let number = |text| literal::read(field, text).number.is_some();
    (!from.is_empty() && !to.is_empty() && (number(from) || number(to))).then_some((from, to))
}

fn comparison(
    field: &Field,
    operator: Operator,
    text: &str,
    place: &Placed,
) -> Result<Expression, ParseError> {
    let value = literal::read(field, text);
    if let Some(problem) = problem(field, operator, &value) {
        return Err(error(place, problem));
    }
    Ok(Expression::Compare(Comparison { field: field.clone(), operator, value }))
}

/// Why the value does not suit the field, and what would.
fn problem(field: &Field, operator: Operator, value: &Literal) -> Option<String> {
    let text = &value.text;
    let ordered = !matches!(operator, Operator::Matches | Operator::Equal | Operator::Glob);
    match field {
        Field::Status if ordered || !is_status(text, operator) => {
            Some(format!("{text:?} is not a status; write status:error, status:ok or status:unset"))
        }
        Field::TraceId if model::TraceId::parse(text).is_none() => {
            Some(format!("{text:?} is not a trace id; write its 32 hex digits"))
        }
        Field::SpanId if model::SpanId::parse(text).is_none() => {
            Some(format!("{text:?} is not a span id; write its 16 hex digits"))
        }
        Field::Duration if value.number.is_none() => Some(format!(
            "{text:?} is not a duration; write a number with ns, us, ms, s, m or h, such as 1.5s"
        )),
        Field::Tokens | Field::Cost if value.number.is_none() => Some(not_a_number(text)),
        Field::Kind | Field::TraceId | Field::SpanId if ordered => {
            Some(format!("there is no order of these; write {}:{text}", field.key()))
        }
        _ => None,
    }
}

fn is_status(text: &str, operator: Operator) -> bool {
    let names = ["unset", "ok", "error"];
    operator == Operator::Glob || names.iter().any(|name| text.eq_ignore_ascii_case(name))
}

fn not_a_number(text: &str) -> String {
    format!("{text:?} is not a number; write one such as 10, 1.5 or 10k")
}
