//! Writes a query's tree on several lines when it is long, as Prometheus' `format_query`.

use super::print::{between, head, print, subquery_suffix};
use super::{Expression, Node};

/// Longer expressions are split.
const WIDTH: usize = 100;

/// The text of a query; what is longer than 100 bytes is split into lines.
#[must_use]
pub fn print_pretty(expression: &Expression) -> String {
    pretty(expression, 0)
}

fn pretty(expression: &Expression, level: usize) -> String {
    let indent = "  ".repeat(level);
    let line = print(expression);
    let long = line.len() > WIDTH;
    match &expression.node {
        Node::Sign { negative, operand } => {
            format!("{indent}{}{}", if *negative { "-" } else { "+" }, pretty(operand, level).trim())
        }
        Node::Subquery(subquery) if long => {
            format!("{}{}", pretty(&subquery.expression, level), subquery_suffix(subquery))
        }
        // Prometheus does not indent these.
        Node::Subquery(_) => line,
        Node::Parentheses(inner) if long => {
            format!("{indent}(\n{}\n{indent})", pretty(inner, level + 1))
        }
        Node::Binary(binary) if long => format!(
            "{}\n{indent}{}\n{}",
            pretty(&binary.left, level + 1),
            between(binary),
            pretty(&binary.right, level + 1)
        ),
        Node::Aggregation(aggregation) if long => {
            let parameter = aggregation.parameter.as_ref();
            let parameter =
                parameter.map(|parameter| pretty(parameter, level + 1) + ",\n").unwrap_or_default();
            let inner = pretty(&aggregation.expression, level + 1);
            format!("{indent}{}(\n{parameter}{inner}\n{indent})", head(aggregation))
        }
        Node::Call { function, arguments } if long => {
            let arguments = arguments.iter().map(|argument| pretty(argument, level + 1));
            format!("{indent}{function}(\n{}\n{indent})", arguments.collect::<Vec<_>>().join(",\n"))
        }
        _ => indent + &line,
    }
}
