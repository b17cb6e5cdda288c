//! Computes a script's query, in all the ways in which it must answer the same.

use super::comparing;
use super::expected::Text;
use super::pinned::{pinned, times};
use super::script::{Query, When};
use super::world::World;
use crate::promql::{evaluate, selections};
use query::promql::{Answer, Node, PromqlRequest, Steps, Value, parse};
use query::{Deadline, Error};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

const MINUTE: i64 = 60_000;
const LOOKBACK: i64 = 5 * MINUTE;

/// Whether a query answers what is expected; else what is different.
pub fn check(world: &World, query: &Query) -> Result<(), String> {
    match query.when {
        When::Range { start, end, step } => {
            answered(world, query, &query.text, Steps::Range { start, end, step }).map(|_| ())
        }
        When::Instant(time) => {
            instant(world, query, &query.text, time)?;
            let Ok(expression) = parse(&query.text) else { return Ok(()) };
            let Some(text) = pinned(&expression, time) else { return Ok(()) };
            times(time)
                .into_iter()
                .try_for_each(|time| instant(world, query, &text, time))
                .map_err(|error| format!("as {text}: {error}"))
        }
    }
}

/// Alone, and as the middle of three steps.
fn instant(world: &World, query: &Query, text: &str, time: i64) -> Result<(), String> {
    let Some(answer) = answered(world, query, text, Steps::Instant(time))? else { return Ok(()) };
    if matches!(answer.value, Value::String(..) | Value::Matrix(_)) || by_query(text) {
        return Ok(());
    }
    let steps = Steps::Range { start: time - MINUTE, end: time + MINUTE, step: MINUTE };
    let ranged = compute(world, text, steps).map_err(|error| format!("as a range at {time}: {error}"))?;
    if query.expectations.ordered {
        return Ok(());
    }
    comparing::sorted(&ranged.value)?;
    let middle = comparing::at(&ranged.value, time, matches!(answer.value, Value::Scalar(..)));
    comparing::value(query, &middle).map_err(|error| format!("as a range at {time}: {error}"))
}

/// Whether it depends on the steps of the query.
fn by_query(text: &str) -> bool {
    ["start()", "end()", "step()", "range()"].iter().any(|function| text.contains(function))
}

/// The answer, compared with what is expected; none when it failed as it should.
fn answered(world: &World, query: &Query, text: &str, steps: Steps) -> Result<Option<Answer>, String> {
    let answer = match (compute(world, text, steps), &query.expectations.fails) {
        (Err(error), Some(expected)) if expected.matches(&error) => return Ok(None),
        (Err(error), Some(Text::Exact(expected))) => {
            return Err(format!("fails with {error:?}, not {expected:?}"));
        }
        (Err(error), _) => return Err(format!("fails: {error}")),
        (Ok(_), Some(_)) => return Err("does not fail".to_owned()),
        (Ok(answer), None) => answer,
    };
    query.expectations.warnings.check("warning", &answer.warnings)?;
    query.expectations.infos.check("info", &answer.infos)?;
    comparing::value(query, &answer.value)?;
    Ok(Some(answer))
}

fn compute(world: &World, text: &str, steps: Steps) -> Result<Answer, String> {
    let expression = parse(text).map_err(|error| error.message)?;
    let empty = matches!(expression.node, Node::String(_)) && matches!(steps, Steps::Range { .. });
    assert!(!empty, "a text has no steps");
    let request = PromqlRequest {
        text: text.to_owned(),
        expression,
        steps,
        lookback: LOOKBACK,
        deadline: Deadline::default(),
    };
    let evaluated = catch_unwind(AssertUnwindSafe(|| {
        let selections = selections(&request)?;
        let loaded: Vec<_> = selections.iter().map(|selection| Arc::new(world.select(selection))).collect();
        evaluate(&request, &loaded, &|| false)
    }));
    evaluated.map_err(|_| "PANIC".to_owned())?.map_err(|error: Error| error.to_string())
}
