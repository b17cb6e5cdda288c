//! PromQL: its syntax tree, and what a query in it is given and answers. Version 3.14 of Prometheus is the reference,
//! with all that is experimental in it.

mod check;
mod functions;
mod histogram;
mod labels;
mod lexer;
mod listing;
mod literal;
mod matcher;
mod numbers;
mod operators;
mod parser;
mod pretty;
mod print;
mod regex;
mod request;
mod series;
mod syntax;
mod types;

#[cfg(test)]
mod tests;

pub use functions::{Function, all as functions, find as function};
pub use histogram::{
    Bucket, Buckets, Combined, Histogram, IncompatibleBuckets, Kahan, NotANumber, Number, ResetHint, Rule,
    Unsupported,
};
pub use labels::{Labels, METRIC_NAME};
pub use listing::{Exemplar, MetricMetadata, SeriesExemplars};
pub use matcher::CompiledMatcher;
pub use numbers::{plain_number, short_number};
pub use pretty::print_pretty;
pub use print::print;
pub use regex::anchored as regex;
pub use request::{Answer, PromqlRequest, SeriesRequest, Steps, Value};
pub use series::{Point, Sample, Selection, Series};
pub use syntax::{
    Aggregation, Aggregator, At, Binary, BinaryOperator, Cardinality, Expression, Fill, Grouping, Length,
    LengthExpression, Matcher, MatcherOperator, Matching, Node, Range, RangeModifier, Selector, Subquery,
    VectorShift,
};
pub use types::ValueType;

use crate::ParseError;

/// Reads a query and checks it.
///
/// ```
/// use clew_query::promql::parse;
/// assert!(parse("sum by (job) (rate(requests_total[5m]))").is_ok());
/// assert_eq!(parse("rate(requests_total)").unwrap_err().at, 5);
/// ```
///
/// # Errors
/// When it is not a query; says where.
pub fn parse(text: &str) -> Result<Expression, ParseError> {
    parser::parse(text)
}

/// Reads a selector of series, as the parameter `match[]` has it.
///
/// # Errors
/// When it is none; says where.
pub fn parse_selector(text: &str) -> Result<Vec<Matcher>, ParseError> {
    let expression = parse(text)?;
    match expression.node {
        Node::Selector(Selector { matchers, modifier: None, shift, .. })
            if shift == VectorShift::default() =>
        {
            Ok(matchers)
        }
        _ => {
            let message = "expected a selector of series only; write name{label=\"value\"}".to_owned();
            Err(ParseError { at: 0, length: text.len(), message })
        }
    }
}

/// The line and the column, in bytes, of a place in a query; both begin at 1.
#[must_use]
pub fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = text.as_bytes().get(..at).unwrap_or(text.as_bytes());
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    (line, before.len() - start + 1)
}
