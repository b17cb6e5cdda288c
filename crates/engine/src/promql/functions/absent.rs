//! Whether anything is there.

use super::{Argument, Call, Notes, Row};
use crate::promql::column::Column;
use query::Error;
use query::promql::{Expression, Labels, METRIC_NAME, Matcher, MatcherOperator, Node};
use std::collections::BTreeMap;

/// `absent`: one when nothing is there, with the labels that it would have.
pub(super) fn absent(
    arguments: Vec<Argument<'_>>,
    call: &Call<'_>,
    _: &mut Notes,
) -> Result<Vec<Row>, Error> {
    let rows = match arguments.into_iter().next() {
        Some(Argument::Vector(rows)) => rows,
        _ => Vec::new(),
    };
    let mut column = Column::of(vec![1.0; call.frame.steps]);
    for row in &rows {
        for (step, _) in row.column.iter() {
            column.clear(step);
        }
    }
    let labels = call.arguments.first().map(|argument| labels(argument)).unwrap_or_default();
    Ok(vec![Row { labels, drop_name: false, column }])
}

/// What the matchers of a selector say for certain.
fn labels(expression: &Expression) -> Labels {
    let matchers: &[Matcher] = match &expression.node {
        Node::Selector(selector) => &selector.matchers,
        Node::Range(range) => &range.selector.matchers,
        _ => &[],
    };
    let mut certain: BTreeMap<&str, &str> = BTreeMap::new();
    let mut seen: Vec<&str> = Vec::new();
    for matcher in matchers.iter().filter(|matcher| matcher.name != METRIC_NAME) {
        let name = matcher.name.as_str();
        if matcher.operator == MatcherOperator::Equal && !seen.contains(&name) {
            certain.insert(name, &matcher.value);
            seen.push(name);
        } else {
            certain.remove(name);
        }
    }
    Labels::new(certain)
}
