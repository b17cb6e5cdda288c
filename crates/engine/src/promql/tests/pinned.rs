//! The same query with its time written into it, `@ time`: it must answer the same whenever it is asked.

use query::promql::{At, Expression, Node, VectorShift, print};

/// Functions that answer by when they are asked, or by the time of a sample.
const TIMED: [&str; 15] = [
    "days_in_month",
    "day_of_month",
    "day_of_week",
    "day_of_year",
    "end",
    "hour",
    "minute",
    "month",
    "predict_linear",
    "range",
    "start",
    "step",
    "time",
    "timestamp",
    "year",
];

/// The query with all its selectors at this time; nothing when a function in it depends on when it is asked.
pub fn pinned(expression: &Expression, time: i64) -> Option<String> {
    let mut pinned = expression.clone();
    pin(&mut pinned, time).then(|| print(&pinned))
}

/// The times at which it is asked as well.
pub fn times(time: i64) -> Vec<i64> {
    if time == 0 { vec![-1000, 0, 1000] } else { vec![-10 * time, 0, time / 5, time, 10 * time] }
}

fn pin(expression: &mut Expression, time: i64) -> bool {
    let at = |shift: &mut VectorShift| {
        if !matches!(shift.at, Some(At::Time(_))) {
            shift.at = Some(At::Time(time));
        }
        true
    };
    match &mut expression.node {
        Node::Number(_) | Node::Duration(_) | Node::String(_) => true,
        Node::Selector(selector) => at(&mut selector.shift),
        Node::Range(range) => at(&mut range.selector.shift),
        // What is in it is computed at its own times.
        Node::Subquery(subquery) => at(&mut subquery.shift),
        Node::Parentheses(inner) | Node::Sign { operand: inner, .. } => pin(inner, time),
        Node::Binary(binary) => pin(&mut binary.left, time) && pin(&mut binary.right, time),
        Node::Aggregation(aggregation) => {
            pin(&mut aggregation.expression, time)
                && aggregation.parameter.as_mut().is_none_or(|parameter| pin(parameter, time))
        }
        Node::Call { function, arguments } => {
            !TIMED.contains(&function.as_str()) && arguments.iter_mut().all(|argument| pin(argument, time))
        }
    }
}
