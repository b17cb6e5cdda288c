//! The syntax tree as Prometheus' `parse_query` writes it.

use query::promql::{
    At, Binary, Cardinality, Expression, Length, LengthExpression, Matcher, MatcherOperator, Matching, Node,
    RangeModifier, Selector, Subquery, ValueType, VectorShift, function, plain_number,
};
use serde_json::{Value, json};

/// A node and all below it.
pub fn node(expression: &Expression) -> Value {
    match &expression.node {
        Node::Number(number) | Node::Duration(number) => {
            json!({"type": "numberLiteral", "val": plain_number(*number)})
        }
        Node::String(text) => json!({"type": "stringLiteral", "val": text}),
        Node::Selector(selector) => with(selected(selector), &[("type", json!("vectorSelector"))]),
        Node::Range(range) => {
            let (length, expression) = length(Some(&range.length));
            let own = [("type", json!("matrixSelector")), ("range", length), ("rangeExpr", expression)];
            with(selected(&range.selector), &own)
        }
        Node::Subquery(subquery) => subquery_node(subquery),
        Node::Parentheses(inner) => json!({"type": "parenExpr", "expr": node(inner)}),
        Node::Sign { negative, operand } => {
            json!({"type": "unaryExpr", "op": if *negative { "-" } else { "+" }, "expr": node(operand)})
        }
        Node::Binary(binary) => binary_node(binary),
        Node::Aggregation(aggregation) => json!({
            "type": "aggregation", "op": aggregation.aggregator.name(), "expr": node(&aggregation.expression),
            "param": aggregation.parameter.as_ref().map(node), "grouping": aggregation.grouping.labels,
            "without": aggregation.grouping.without,
        }),
        Node::Call { function, arguments } => call(function, arguments),
    }
}

fn with(mut value: Value, more: &[(&str, Value)]) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
    }
    value
}

fn selected(selector: &Selector) -> Value {
    let modifier = |wanted| selector.modifier == Some(wanted);
    let own = json!({
        "name": selector.name.as_deref().unwrap_or_default(),
        "matchers": selector.matchers.iter().map(matcher).collect::<Vec<_>>(),
        "anchored": modifier(RangeModifier::Anchored), "smoothed": modifier(RangeModifier::Smoothed),
    });
    with(own, &shift(&selector.shift))
}

fn matcher(matcher: &Matcher) -> Value {
    let operator = match matcher.operator {
        MatcherOperator::Equal => "=",
        MatcherOperator::NotEqual => "!=",
        MatcherOperator::Matches => "=~",
        MatcherOperator::MatchesNot => "!~",
    };
    json!({"name": matcher.name, "value": matcher.value, "type": operator})
}

fn shift(shift: &VectorShift) -> [(&'static str, Value); 4] {
    let (offset, expression) = length(shift.offset.as_ref());
    let (time, border) = match shift.at {
        Some(At::Time(time)) => (json!(time), Value::Null),
        Some(At::Start) => (Value::Null, json!("start")),
        Some(At::End) => (Value::Null, json!("end")),
        None => (Value::Null, Value::Null),
    };
    [("offset", offset), ("offsetExpr", expression), ("timestamp", time), ("startOrEnd", border)]
}

fn subquery_node(subquery: &Subquery) -> Value {
    let ((range, range_tree), (step, step_tree)) =
        (length(Some(&subquery.length)), length(subquery.step.as_ref()));
    let own = json!({
        "type": "subquery", "expr": node(&subquery.expression), "range": range, "rangeExpr": range_tree,
        "step": step, "stepExpr": step_tree,
    });
    with(own, &shift(&subquery.shift))
}

fn binary_node(binary: &Binary) -> Value {
    let vector = |side: &Expression| side.value_type() == ValueType::Vector;
    let matched = vector(&binary.left) && vector(&binary.right);
    json!({
        "type": "binaryExpr", "op": binary.operator.text(), "lhs": node(&binary.left), "rhs": node(&binary.right),
        "matching": matched.then(|| matching(&binary.matching)), "bool": binary.return_bool,
    })
}

fn matching(matching: &Matching) -> Value {
    let cardinality = match matching.cardinality {
        Cardinality::OneToOne => "one-to-one",
        Cardinality::ManyToOne => "many-to-one",
        Cardinality::OneToMany => "one-to-many",
        Cardinality::ManyToMany => "many-to-many",
    };
    json!({
        "card": cardinality, "labels": matching.labels, "on": matching.on, "include": matching.include,
        "fillValues": {"lhs": matching.fill.left, "rhs": matching.fill.right},
    })
}

fn call(name: &str, arguments: &[Expression]) -> Value {
    let (types, variadic, answers) = function(name).map_or((Vec::new(), 0, "vector"), |known| {
        let types: Vec<&str> = known.arguments.iter().map(|kind| kind.name()).collect();
        let variadic = match known.most {
            usize::MAX => -1,
            most => i64::try_from(most.saturating_sub(known.least)).unwrap_or(-1),
        };
        (types, variadic, known.answers.name())
    });
    json!({
        "type": "call", "args": arguments.iter().map(node).collect::<Vec<_>>(),
        "func": {"name": name, "argTypes": types, "variadic": variadic, "returnType": answers},
    })
}

/// Milliseconds where they are known, and the expression where there is one.
fn length(length: Option<&Length>) -> (Value, Value) {
    match length {
        None => (json!(0), Value::Null),
        Some(Length::Milliseconds(milliseconds)) => (json!(milliseconds), Value::Null),
        Some(Length::Computed(expression)) => (json!(0), length_node(expression)),
    }
}

fn length_node(expression: &LengthExpression) -> Value {
    let literal = |number: f64, duration: bool| json!({"type": "numberLiteral", "val": plain_number(number), "duration": duration});
    let operation = |operator: &str, left: Value, right: Value| json!({"type": "durationExpr", "op": operator, "lhs": left, "rhs": right, "wrapped": false});
    match expression {
        LengthExpression::Seconds(number) => literal(*number, false),
        LengthExpression::Duration(number) => literal(*number, true),
        LengthExpression::Parentheses(inner) => with(length_node(inner), &[("wrapped", json!(true))]),
        LengthExpression::Step => operation("step", Value::Null, Value::Null),
        LengthExpression::Range => operation("range", Value::Null, Value::Null),
        LengthExpression::Negative(inner) => operation("-", Value::Null, length_node(inner)),
        LengthExpression::Minimum(left, right) => operation("min_of", length_node(left), length_node(right)),
        LengthExpression::Maximum(left, right) => operation("max_of", length_node(left), length_node(right)),
        LengthExpression::Binary(operator, left, right) => {
            operation(operator.text(), length_node(left), length_node(right))
        }
    }
}
