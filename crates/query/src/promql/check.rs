//! What the grammar alone does not forbid: types, the number of arguments, what operators and selectors allow.

use super::functions::{self, Function};
use super::{
    Aggregation, Aggregator, Binary, Cardinality, Expression, Fill, METRIC_NAME, Node, Selector, ValueType,
};
use crate::ParseError;
use std::ops::Range;

/// Checks an expression and all within it.
pub fn check(text: &str, expression: &Expression) -> Result<(), ParseError> {
    let place = &expression.place;
    match &expression.node {
        Node::Number(_) | Node::Duration(_) | Node::String(_) => Ok(()),
        Node::Selector(selector) => check_selector(selector, place),
        Node::Range(range) => check_selector(&range.selector, &range.place),
        Node::Subquery(subquery) => {
            check(text, &subquery.expression)?;
            let found = subquery.expression.value_type();
            let message = format!("subquery is only allowed on instant vector, got {found} instead");
            ensure(found == ValueType::Vector, place, message)
        }
        Node::Parentheses(inner) => check(text, inner),
        Node::Sign { operand, .. } => {
            check(text, operand)?;
            let found = operand.value_type();
            let signed = matches!(found, ValueType::Scalar | ValueType::Vector);
            let message = format!(
                "unary expression only allowed on expressions of type scalar or instant vector, got \"{found}\""
            );
            ensure(signed, place, message)
        }
        Node::Binary(binary) => check_binary(text, binary, place),
        Node::Aggregation(aggregation) => check_aggregation(text, aggregation),
        Node::Call { function, arguments } => check_call(text, function, arguments, place),
    }
}

fn ensure(holds: bool, place: &Range<usize>, message: impl Into<String>) -> Result<(), ParseError> {
    if holds { Ok(()) } else { Err(error(place, message)) }
}

fn error(place: &Range<usize>, message: impl Into<String>) -> ParseError {
    ParseError { at: place.start, length: place.len(), message: message.into() }
}

fn check_selector(selector: &Selector, place: &Range<usize>) -> Result<(), ParseError> {
    if let Some(name) = &selector.name {
        let other = selector.matchers.iter().skip(1).find(|matcher| matcher.name == METRIC_NAME);
        return other.map_or(Ok(()), |other| {
            let message =
                format!("metric name must not be set twice: {name:?} or {:?}; remove one", other.value);
            Err(error(place, message))
        });
    }
    let selective =
        selector.matchers.iter().any(|matcher| matcher.compile().is_ok_and(|compiled| !compiled.matches("")));
    ensure(
        selective,
        place,
        "vector selector must contain at least one non-empty matcher; name a metric, or write label=~\".+\"",
    )
}

fn check_aggregation(text: &str, aggregation: &Aggregation) -> Result<(), ParseError> {
    check_type(&aggregation.expression, ValueType::Vector, "aggregation expression")?;
    check(text, &aggregation.expression)?;
    let Some(parameter) = &aggregation.parameter else { return Ok(()) };
    let wanted = match aggregation.aggregator {
        Aggregator::CountValues => ValueType::String,
        _ => ValueType::Scalar,
    };
    check_type(parameter, wanted, "aggregation parameter")?;
    check(text, parameter)
}

fn check_type(expression: &Expression, wanted: ValueType, context: &str) -> Result<(), ParseError> {
    let found = expression.value_type();
    if found == wanted {
        return Ok(());
    }
    let mend = match (wanted, found, &expression.node) {
        (ValueType::Matrix, ValueType::Vector, Node::Selector(_)) => "; add a range, such as [5m]",
        (ValueType::Matrix, ValueType::Vector, _) => "; add a range and a step, such as [5m:1m]",
        (ValueType::Vector, ValueType::Matrix, Node::Range(_)) => {
            "; remove the range, or put rate(…) around it"
        }
        (ValueType::Vector, ValueType::Matrix, _) => {
            "; put a function of ranges around it, such as max_over_time(…)"
        }
        (ValueType::Vector, ValueType::Scalar, _) => "; to make it one, write vector(…)",
        (ValueType::Scalar, ValueType::Vector, _) => "; to make it one, write scalar(…)",
        (ValueType::String, ..) => "; write a text in quotes",
        _ => "",
    };
    let message = format!("expected type {wanted} in {context}, got {found}{mend}");
    Err(error(&expression.place, message))
}

fn check_call(
    text: &str,
    name: &str,
    arguments: &[Expression],
    place: &Range<usize>,
) -> Result<(), ParseError> {
    let Some(function) = functions::find(name) else { return Ok(()) };
    check_count(function, arguments.len(), place)?;
    for (index, argument) in arguments.iter().enumerate() {
        let wanted = function.arguments.get(index).or(function.arguments.last());
        let wanted = wanted.copied().unwrap_or(ValueType::Scalar);
        check_type(argument, wanted, &format!("call to function {name:?}"))?;
        // Its labels are looked for in the info metrics only, so they may be empty.
        if name == "info" && index == 1 {
            check_info(argument)?;
        } else {
            check(text, argument)?;
        }
    }
    Ok(())
}

fn check_count(function: Function, found: usize, place: &Range<usize>) -> Result<(), ParseError> {
    let Function { name, least, most, .. } = function;
    let (amount, count) = match found {
        _ if (least..=most).contains(&found) => return Ok(()),
        _ if least == most => ("", least),
        _ if found < least => ("at least ", least),
        _ => ("at most ", most),
    };
    let types = function.arguments.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let message =
        format!("expected {amount}{count} argument(s) in call to {name:?}, got {found}; it takes ({types})");
    Err(error(place, message))
}

fn check_info(argument: &Expression) -> Result<(), ParseError> {
    match &argument.node {
        Node::Selector(selector) => ensure(
            selector.name.is_none(),
            &argument.place,
            "expected label selectors only, got vector selector instead; write {__name__=\"…\"} for another info metric",
        ),
        _ => Err(error(&argument.place, "expected label selectors only; write {label=\"value\"}")),
    }
}

fn check_binary(text: &str, binary: &Binary, place: &Range<usize>) -> Result<(), ParseError> {
    let Binary { operator, left, right, matching, .. } = binary;
    check(text, left)?;
    check(text, right)?;
    let between = between(text, left, right);
    let types = (left.value_type(), right.value_type());
    let scalars = types == (ValueType::Scalar, ValueType::Scalar);
    let name = operator.text();
    if binary.return_bool && !operator.is_comparison() {
        return Err(error(&between, "bool modifier can only be used on comparison operators; remove it"));
    }
    if operator.is_comparison() && !binary.return_bool && scalars {
        let message = format!("comparisons between scalars must use BOOL modifier; write {name} bool");
        return Err(error(&between, message));
    }
    if let Some(label) = matching.labels.iter().find(|label| matching.on && matching.include.contains(label))
    {
        let message =
            format!("label {label:?} must not occur in ON and GROUP clause at once; remove it from one");
        return Err(error(&between, message));
    }
    for side in [left, right] {
        let allowed = matches!(side.value_type(), ValueType::Scalar | ValueType::Vector);
        let message = "binary expression must contain only scalar and instant vector types; put a function of ranges \
                       around a range";
        ensure(allowed, &side.place, message)?;
    }
    check_matching(binary, types == (ValueType::Vector, ValueType::Vector), place)
}

fn check_matching(binary: &Binary, vectors: bool, place: &Range<usize>) -> Result<(), ParseError> {
    let Binary { operator, matching, .. } = binary;
    let name = operator.text();
    let filled = matching.fill != Fill::default();
    let message = match () {
        () if !vectors && !matching.labels.is_empty() => {
            "vector matching only allowed between instant vectors; remove on or ignoring".to_owned()
        }
        () if !vectors && filled => {
            "filling in missing series only allowed between instant vectors; remove fill".to_owned()
        }
        () if !vectors && operator.is_set() => {
            format!(
                "set operator {name:?} not allowed in binary scalar expression; write vector(…) around the number"
            )
        }
        () if operator.is_set() && matching.cardinality != Cardinality::ManyToMany => {
            format!("no grouping allowed for {name:?} operation; remove group_left or group_right")
        }
        () if operator.is_set() && filled => {
            "filling in missing series not allowed for set operators; remove fill".to_owned()
        }
        () => return Ok(()),
    };
    Err(error(place, message))
}

/// The operator and its modifiers.
fn between(text: &str, left: &Expression, right: &Expression) -> Range<usize> {
    let (start, end) = (left.place.end, right.place.start);
    let written = text.get(start..end).unwrap_or_default();
    let from = start + written.len() - written.trim_start().len();
    from..from + written.trim().len()
}
