//! Expressions: computed, printed, taken apart.

use super::asked::Asked;
use super::envelope::{Failure, Success, syntax};
use super::{syntax as tree, write};
use crate::api::State;
use axum::extract::State as From;
use axum::response::Response;
use query::promql::{
    Expression, Matcher, Node, PromqlRequest, SeriesRequest, Steps, parse as read, print_pretty,
};
use serde_json::json;

/// How old a sample may be to count as the present one, as Prometheus' `--query.lookback-delta`.
pub const LOOKBACK: i64 = 5 * 60_000;
/// Steps of a range query.
const STEPS: i64 = 11_000;

/// The expression at one time.
pub async fn instant(From(state): From<State>, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.limit()?;
    let at = asked.time("time")?.unwrap_or_else(Asked::now);
    answer(&state, &asked, Steps::Instant(at), limit).await
}

/// The expression over a time.
pub async fn range(From(state): From<State>, asked: Asked) -> Result<Response, Failure> {
    let limit = asked.limit()?;
    let (start, end) = (asked.required_time("start")?, asked.required_time("end")?);
    if end < start {
        return Err(Failure::of_parameter("end", "end timestamp must not be before start time"));
    }
    let Some(step) = asked.length("step")? else {
        return Err(Failure::of_parameter("step", "cannot parse \"\" to a valid duration"));
    };
    if step <= 0 {
        let why = "zero or negative query resolution step widths are not accepted. Try a positive integer";
        return Err(Failure::of_parameter("step", why));
    }
    if end.saturating_sub(start) / step > STEPS {
        return Err(Failure::bad(
            "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)",
        ));
    }
    answer(&state, &asked, Steps::Range { start, end, step }, limit).await
}

async fn answer(state: &State, asked: &Asked, steps: Steps, limit: usize) -> Result<Response, Failure> {
    let deadline = asked.deadline()?;
    let lookback = asked.length("lookback_delta")?.filter(|lookback| *lookback > 0).unwrap_or(LOOKBACK);
    let text = asked.text("query").unwrap_or_default().to_owned();
    let expression = parsed(asked)?;
    let kind = expression.value_type();
    if matches!(steps, Steps::Range { .. }) && !is_instant(&expression) {
        let why =
            format!("invalid expression type \"{kind}\" for range query, must be Scalar or instant Vector");
        return Err(Failure::of_parameter("query", &why));
    }
    let request = PromqlRequest { text, expression, steps, lookback, deadline };
    let answer = state.engine().promql(&asked.tenant, request).await?;
    let truncated = answer.value.len() > limit;
    let (warnings, infos) = (answer.warnings, answer.infos);
    let data = crate::computing::aside(move || write::result(&answer.value, limit)).await?;
    Success { data, warnings, infos }.truncated(truncated).given(&state.answers)
}

fn is_instant(expression: &Expression) -> bool {
    use query::promql::ValueType::{Scalar, Vector};
    matches!(expression.value_type(), Scalar | Vector)
}

/// The expression that is asked for.
fn parsed(asked: &Asked) -> Result<Expression, Failure> {
    let text = asked.text("query").unwrap_or_default();
    read(text).map_err(|error| Failure::of_syntax("query", text, &error))
}

/// The expression as Prometheus lays it out, long ones over several lines.
pub async fn format(asked: Asked) -> Result<Success, Failure> {
    Ok(json!(print_pretty(&parsed(&asked)?)).into())
}

/// The expression's parts.
pub async fn parse(asked: Asked) -> Result<Success, Failure> {
    Ok(tree::node(&parsed(&asked)?).into())
}

/// The exemplars of the series in the expression.
pub async fn exemplars(From(state): From<State>, asked: Asked) -> Result<Success, Failure> {
    let (from, to) = asked.range()?;
    if to < from {
        return Err(Failure::bad("end timestamp must not be before start timestamp"));
    }
    let text = asked.text("query").unwrap_or_default();
    let expression = read(text).map_err(|error| Failure::bad(syntax(text, &error)))?;
    let mut selectors = Vec::new();
    collect(&expression, &mut selectors);
    let request = SeriesRequest { selectors, from, to, deadline: asked.deadline()? };
    let found = state.engine().exemplars(&asked.tenant, request).await?;
    Ok(Success { data: write::exemplars(&found.items), ..Success::default() }.lacking(found.incomplete))
}

/// The selectors in an expression.
fn collect(expression: &Expression, selectors: &mut Vec<Vec<Matcher>>) {
    match &expression.node {
        Node::Number(_) | Node::Duration(_) | Node::String(_) => {}
        Node::Selector(selector) => selectors.push(selector.matchers.clone()),
        Node::Range(range) => selectors.push(range.selector.matchers.clone()),
        Node::Subquery(subquery) => collect(&subquery.expression, selectors),
        Node::Parentheses(inner) | Node::Sign { operand: inner, .. } => collect(inner, selectors),
        Node::Binary(binary) => {
            collect(&binary.left, selectors);
            collect(&binary.right, selectors);
        }
        Node::Aggregation(aggregation) => {
            aggregation.parameter.iter().for_each(|parameter| collect(parameter, selectors));
            collect(&aggregation.expression, selectors);
        }
        Node::Call { arguments, .. } => arguments.iter().for_each(|argument| collect(argument, selectors)),
    }
}
