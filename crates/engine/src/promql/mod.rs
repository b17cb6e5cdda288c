//! PromQL: computes expressions over series that are in memory. It knows nothing of where they are stored.
//!
//! A query is made ready once (`plan`): lengths of time are known then, selectors are numbered, and what is the same at
//! every step is marked. Each expression is then computed for all steps together, as rows with a column of samples
//! (`column`), so that labels are looked at once for each series and not for each step.

mod aggregation;
mod answer;
mod binary;
mod budget;
mod calls;
mod column;
mod evaluator;
mod functions;
mod labels;
mod numbers;
mod plan;
mod rows;
mod selecting;
mod smoothing;
mod windows;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod tests;

use query::Error;
use query::promql::{Answer, PromqlRequest, Selection, Series};
use std::sync::Arc;

/// What must be loaded to compute a query: one selection for each selector, in the order in which they stand in it. (That
/// of the info series follows those of `info`'s first argument, whether the query has one or not.)
///
/// # Errors
/// When the request cannot be computed, whatever the data: too many steps, lengths of time below zero.
pub fn selections(request: &PromqlRequest) -> Result<Vec<Selection>, Error> {
    Ok(plan::plan(request)?.selections)
}

/// Computes a query. `loaded` are the series of each selection, sorted by labels; `interrupted` is asked now and then
/// whether to give up.
///
/// # Errors
/// When the query cannot be computed over these series, needs too much memory or is interrupted.
pub fn evaluate(
    request: &PromqlRequest,
    loaded: &[Arc<Vec<Series>>],
    interrupted: &dyn Fn() -> bool,
) -> Result<Answer, Error> {
    evaluate_within(request, loaded, interrupted, usize::MAX)
}

/// Likewise, holding at most so many samples at a time.
///
/// # Errors
/// Likewise.
pub fn evaluate_within(
    request: &PromqlRequest,
    loaded: &[Arc<Vec<Series>>],
    interrupted: &dyn Fn() -> bool,
    room: usize,
) -> Result<Answer, Error> {
    let planned = plan::plan(request)?;
    let budget = budget::Budget::new(interrupted, request.deadline, room);
    let evaluator = evaluator::Evaluator::new(request, planned.times, loaded, budget);
    answer::answer(evaluator, &planned, &request.text)
}
