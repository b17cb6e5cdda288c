//! Histograms of which only the count and the sum matter: their buckets are left out, once it is known where counters
//! begin anew.

use super::plan::{CallPlan, Operation, Plan, RangeContent, Source};
use super::selecting::is_stale;
use query::promql::{BinaryOperator, Histogram, Point, ResetHint, Sample, Series};
use std::borrow::Cow;
use std::sync::Arc;

/// The series of each selection, without buckets where the query does not look at them.
pub(super) fn without_buckets<'a>(plan: &Plan<'_>, loaded: &'a [Vec<Series>]) -> Vec<Cow<'a, [Series]>> {
    let mut found = Vec::new();
    find(plan, Buckets::Unknown, &mut found);
    let selections = loaded.iter().enumerate();
    selections
        .map(|(index, series)| {
            let reduce = found.contains(&index) && series.iter().any(has_histograms);
            if reduce { series.iter().map(reduced).collect() } else { Cow::Borrowed(series.as_slice()) }
        })
        .collect()
}

/// Whether what is around a selector looks at buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Buckets {
    Unknown,
    Ignored,
    Needed,
}

impl Buckets {
    fn within(self, call: &CallPlan<'_>) -> Self {
        match call.name {
            "histogram_quantile" | "histogram_quantiles" | "histogram_fraction" => Self::Needed,
            "histogram_count" | "histogram_sum" | "histogram_avg" if self == Self::Unknown => Self::Ignored,
            _ => self,
        }
    }
}

/// The numbers of the selections whose buckets are not looked at.
fn find(plan: &Plan<'_>, buckets: Buckets, found: &mut Vec<usize>) {
    match &plan.operation {
        Operation::Number(_) | Operation::Text(_) => {}
        Operation::Selector(source) => found.extend(ignored(*source, buckets)),
        Operation::Range(range) => match &range.content {
            RangeContent::Stored(source) => found.extend(ignored(*source, buckets)),
            RangeContent::Computed { expression, .. } => find(expression, Buckets::Needed, found),
        },
        Operation::Negate(operand) => find(operand, buckets, found),
        Operation::Binary { binary, left, right } => {
            let trims = matches!(binary.operator, BinaryOperator::TrimLower | BinaryOperator::TrimUpper);
            let buckets = if trims { Buckets::Needed } else { buckets };
            find(left, buckets, found);
            find(right, buckets, found);
        }
        Operation::Aggregation { input, parameter, .. } => {
            find(input, buckets, found);
            if let Some(parameter) = parameter {
                find(parameter, buckets, found);
            }
        }
        Operation::Call(call) => {
            let buckets = buckets.within(call);
            call.arguments.iter().for_each(|argument| find(argument, buckets, found));
        }
    }
}

fn ignored(source: Source, buckets: Buckets) -> Option<usize> {
    (buckets == Buckets::Ignored).then_some(source.index)
}

fn has_histograms(series: &Series) -> bool {
    series.points.iter().any(|point| matches!(point.sample, Sample::Histogram(_)))
}

fn reduced(series: &Series) -> Series {
    let mut before: Option<&Histogram> = None;
    let points = series.points.iter().map(|point| match &point.sample {
        Sample::Histogram(histogram) if !is_stale(&point.sample) => {
            let reset_hint = hint(before.replace(histogram), histogram);
            let Histogram { schema, count, sum, .. } = **histogram;
            let summary = Histogram { schema, count, sum, reset_hint, ..Histogram::default() };
            Point { time: point.time, sample: Sample::Histogram(Arc::new(summary)) }
        }
        _ => point.clone(),
    });
    Series { labels: series.labels.clone(), points: points.collect() }
}

/// What is known of a reset once both histograms have been looked at.
fn hint(before: Option<&Histogram>, now: &Histogram) -> ResetHint {
    match (now.reset_hint, before) {
        (ResetHint::Unknown, Some(before)) if now.is_reset(before) => ResetHint::Reset,
        (ResetHint::Unknown, Some(_)) => ResetHint::NotReset,
        (hint, _) => hint,
    }
}
