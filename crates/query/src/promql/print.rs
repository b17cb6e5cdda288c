//! Writes a query's tree as text that reads back as the same tree.

use super::literal::print_duration;
use super::{
    Aggregation, At, Binary, BinaryOperator, Cardinality, Expression, Fill, Grouping, Length,
    LengthExpression, METRIC_NAME, Matcher, MatcherOperator, Matching, Node, RangeModifier, Selector,
    Subquery, VectorShift, plain_number,
};

/// The canonical text of a query, on one line: [`super::parse`] reads it back as the same tree.
///
/// ```
/// use clew_query::promql::{parse, print};
/// let query = parse("sum by(job)(rate( requests_total [5m] ))").unwrap();
/// assert_eq!(print(&query), "sum by (job) (rate(requests_total[5m]))");
/// ```
#[must_use]
pub fn print(expression: &Expression) -> String {
    match &expression.node {
        Node::Number(value) => plain_number(*value),
        Node::Duration(value) => seconds(*value),
        Node::String(text) => quoted(text),
        Node::Selector(selector) => {
            format!("{}{}", named(selector), shifted(selector, &at(&selector.shift), modifier(selector)))
        }
        Node::Range(range) => {
            let selector = &range.selector;
            let (modifier, at) = (modifier(selector), at(&selector.shift));
            format!("{}[{}]{}", named(selector), length(&range.length), shifted(selector, modifier, &at))
        }
        Node::Subquery(subquery) => format!("{}{}", print(&subquery.expression), subquery_suffix(subquery)),
        Node::Parentheses(inner) => format!("({})", print(inner)),
        Node::Sign { negative, operand } => {
            format!("{}{}", if *negative { "-" } else { "+" }, print(operand))
        }
        Node::Binary(binary) => {
            format!("{} {} {}", left(binary), between(binary), print(&binary.right))
        }
        Node::Aggregation(aggregation) => {
            let parameter = aggregation.parameter.as_ref();
            let parameter = parameter.map_or_else(String::new, |parameter| format!("{}, ", print(parameter)));
            format!("{}({parameter}{})", head(aggregation), print(&aggregation.expression))
        }
        Node::Call { function, arguments } => {
            format!("{function}({})", arguments.iter().map(print).collect::<Vec<_>>().join(", "))
        }
    }
}

/// A sign before what `^` raises would be one of the whole power.
fn left(binary: &Binary) -> String {
    match binary.left.node {
        Node::Number(f64::INFINITY) if binary.operator == BinaryOperator::Power => "Inf".to_owned(),
        _ => print(&binary.left),
    }
}

/// `sum by (job) `.
pub(super) fn head(aggregation: &Aggregation) -> String {
    let Grouping { without, labels: by } = &aggregation.grouping;
    let name = aggregation.aggregator.name();
    match (without, by.is_empty()) {
        (true, _) => format!("{name} without ({}) ", labels(by)),
        (false, true) => name.to_owned(),
        (false, false) => format!("{name} by ({}) ", labels(by)),
    }
}

/// The operator and its modifiers.
pub(super) fn between(binary: &Binary) -> String {
    let return_bool = if binary.return_bool { " bool" } else { "" };
    format!("{}{return_bool}{}", binary.operator.text(), matching(&binary.matching))
}

fn matching(matching: &Matching) -> String {
    let group = match matching.cardinality {
        Cardinality::ManyToOne => Some("left"),
        Cardinality::OneToMany => Some("right"),
        Cardinality::OneToOne | Cardinality::ManyToMany => None,
    };
    let mut text = String::new();
    if !matching.labels.is_empty() || matching.on || group.is_some() {
        let by = if matching.on { "on" } else { "ignoring" };
        text = format!(" {by} ({})", labels(&matching.labels));
    }
    if let Some(side) = group {
        text.push_str(&format!(" group_{side} ({})", labels(&matching.include)));
    }
    text + &fill(&matching.fill)
}

fn fill(fill: &Fill) -> String {
    let one = |side: &str, value: Option<f64>| {
        value.map_or_else(String::new, |value| format!(" fill{side} ({})", plain_number(value)))
    };
    match (fill.left, fill.right) {
        (Some(left), Some(right)) if left == right => one("", Some(left)),
        (left, right) => one("_left", left) + &one("_right", right),
    }
}

fn labels(labels: &[String]) -> String {
    labels.iter().map(|label| label_name(label)).collect::<Vec<_>>().join(", ")
}

fn label_name(name: &str) -> String {
    if is_plain(name) { name.to_owned() } else { quoted(name) }
}

fn is_plain(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// `name{label="value"}`, without what follows.
pub(super) fn named(selector: &Selector) -> String {
    let name = selector.name.as_deref().unwrap_or_default();
    let is_name = |matcher: &&Matcher| {
        matcher.name == METRIC_NAME
            && matcher.operator == MatcherOperator::Equal
            && matcher.value == name
            && !name.is_empty()
    };
    let others = selector.matchers.iter().filter(|matcher| !is_name(matcher));
    let mut matchers: Vec<String> = others.map(matcher).collect();
    matchers.sort_unstable();
    if matchers.is_empty() && !name.is_empty() {
        return name.to_owned();
    }
    format!("{name}{{{}}}", matchers.join(","))
}

fn matcher(matcher: &Matcher) -> String {
    format!("{}{}{}", label_name(&matcher.name), matcher.operator.text(), quoted(&matcher.value))
}

fn modifier(selector: &Selector) -> &'static str {
    match selector.modifier {
        None => "",
        Some(RangeModifier::Anchored) => " anchored",
        Some(RangeModifier::Smoothed) => " smoothed",
    }
}

fn shifted(selector: &Selector, first: &str, second: &str) -> String {
    format!("{first}{second}{}", offset(&selector.shift))
}

fn at(shift: &VectorShift) -> String {
    match shift.at {
        None => String::new(),
        Some(At::Start) => " @ start()".to_owned(),
        Some(At::End) => " @ end()".to_owned(),
        Some(At::Time(time)) => {
            let sign = if time < 0 { "-" } else { "" };
            let time = time.unsigned_abs();
            format!(" @ {sign}{}.{:03}", time / 1000, time % 1000)
        }
    }
}

fn offset(shift: &VectorShift) -> String {
    shift.offset.as_ref().map_or_else(String::new, |offset| format!(" offset {}", length(offset)))
}

/// `[1h:5m] offset 1m`.
pub(super) fn subquery_suffix(subquery: &Subquery) -> String {
    let step = subquery.step.as_ref().map_or_else(String::new, length);
    let Subquery { length: range, shift, .. } = subquery;
    format!("[{}:{step}]{}{}", length(range), at(shift), offset(shift))
}

fn length(of: &Length) -> String {
    match of {
        Length::Milliseconds(milliseconds) => print_duration(*milliseconds),
        Length::Computed(computed) => length_expression(computed),
    }
}

fn length_expression(of: &LengthExpression) -> String {
    let two = |name: &str, one: &LengthExpression, other: &LengthExpression| {
        format!("{name}({}, {})", length_expression(one), length_expression(other))
    };
    match of {
        LengthExpression::Seconds(value) => plain_number(*value),
        LengthExpression::Duration(value) => seconds(*value),
        LengthExpression::Step => "step()".to_owned(),
        LengthExpression::Range => "range()".to_owned(),
        LengthExpression::Parentheses(inner) => format!("({})", length_expression(inner)),
        LengthExpression::Negative(inner) => format!("-{}", length_expression(inner)),
        LengthExpression::Minimum(one, other) => two("min_of", one, other),
        LengthExpression::Maximum(one, other) => two("max_of", one, other),
        LengthExpression::Binary(operator, one, other) => {
            format!("{} {} {}", length_expression(one), operator.text(), length_expression(other))
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "it was read from whole milliseconds")]
fn seconds(value: f64) -> String {
    print_duration((value * 1000.0).round() as i64)
}

/// A text in double quotes, with Go's escapes.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{b}' => quoted.push_str("\\v"),
            '\u{c}' => quoted.push_str("\\f"),
            '\0'..='\x1f' | '\x7f' => quoted.push_str(&format!("\\x{:02x}", u32::from(character))),
            '\u{80}'..='\u{a0}'
            | '\u{ad}'
            | '\u{2000}'..='\u{200f}'
            | '\u{2028}'..='\u{202f}'
            | '\u{feff}' => {
                quoted.push_str(&format!("\\u{:04x}", u32::from(character)));
            }
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
