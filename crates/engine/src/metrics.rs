//! Which metrics there are, and the points of one.

use crate::admission::Question;
use crate::newest::{self, Form};
use crate::scan::{Scanner, Source, Wanted, blocks, sources};
use crate::weight;
use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::take_record_batch;
use model::metric::MetricPoint;
use model::otlp::columns::Columns;
use model::{Signal, TimeRange, otlp, schema};
use query::filter::{Comparison, Expression, Field, Operator, literal};
use query::result::{Held, Listed, MetricName, MetricResult};
use query::{Error, MetricRequest};
use std::collections::BTreeMap;
use std::sync::Arc;
use storage::Snapshot;

/// Names and counts come from statistics; unit, description and kind from the newest rows.
pub async fn names(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
) -> Result<Listed<MetricName>, Error> {
    let mut names: BTreeMap<String, MetricName> = BTreeMap::new();
    let sources = sources(snapshot, TimeRange::ALL);
    question.searching(Signal::Metrics, blocks(&sources));
    for source in sources {
        let mut unseen = false;
        for operation in &source.statistics().operations {
            let entry = names.entry(operation.operation.clone()).or_insert_with(|| {
                unseen = true;
                MetricName { name: operation.operation.clone(), ..MetricName::default() }
            });
            entry.points += operation.rows;
        }
        if unseen {
            let columns =
                [schema::NAME, schema::UNIT, schema::DESCRIPTION, schema::METRIC_KIND, schema::MONOTONIC];
            let all = Wanted { signal: Signal::Metrics, filter: &Expression::All, range: TimeRange::ALL };
            let take = |batch: &RecordBatch| describe(&mut names, batch);
            let described = scanner.each(question, &source, all, (&columns, take)).await;
            described.or_else(|error| question.pass_over(&source, error))?;
        }
    }
    let items = names.into_values().collect();
    Ok(Listed { items, incomplete: question.incomplete(), bytes: 0, held: Held::default() })
}

/// Takes what describes a metric from the first of its rows that says something.
fn describe(names: &mut BTreeMap<String, MetricName>, batch: &RecordBatch) {
    let columns = Columns::new(batch);
    let mut telling: BTreeMap<&str, u32> = BTreeMap::new();
    for (row, number) in (0..batch.num_rows()).zip(0u32..) {
        if let Some(name) = columns.text(schema::NAME, row).filter(|name| !telling.contains_key(name))
            && names.get(name).is_some_and(|name| name.unit.is_empty() && name.description.is_empty())
        {
            telling.insert(name, number);
        }
    }
    let rows: UInt32Array = telling.into_values().collect::<Vec<_>>().into();
    let points = take_record_batch(batch, &rows).map(|rows| otlp::metric_points(&rows)).unwrap_or_default();
    for point in points {
        if let Some(name) = names.get_mut(&point.name) {
            (name.unit, name.description) = (point.unit, point.description);
            (name.kind, name.monotonic) = (point.kind, point.monotonic);
        }
    }
}

/// The newest points, given oldest first.
pub async fn points(
    scanner: &Scanner,
    question: &Arc<Question>,
    snapshot: &Snapshot,
    request: &MetricRequest,
) -> Result<MetricResult, Error> {
    let has_it = |source: &Source| {
        source.statistics().operations.iter().any(|operation| operation.operation == request.name)
    };
    if !sources(snapshot, TimeRange::ALL).iter().any(has_it) {
        return Err(Error::NotFound { what: format!("the metric {:?}", request.name) });
    }
    let value = literal(&Field::Name, &request.name);
    let filter = Expression::Compare(Comparison { field: Field::Name, operator: Operator::Equal, value });
    let wanted = Wanted { signal: Signal::Metrics, filter: &filter, range: request.range };
    let mut sources = sources(snapshot, request.range);
    sources.retain(has_it);
    // One more than asked for tells that there is more.
    let limit = request.limit.saturating_add(1);
    let form = Form { read: otlp::metric_points, moment: |point| point.time, weigh: weight::metric_point };
    let kept = newest::rows((scanner, question), &sources, wanted, limit, form).await?;
    let cut = kept.cut;
    let mut points: Vec<MetricPoint> = kept.oldest_first();
    let extra = points.len().saturating_sub(request.limit);
    let points = points.split_off(extra);
    let incomplete = question.incomplete().or_else(|| cut.then(|| newest::too_long(question, points.len())));
    let complete = extra == 0 && incomplete.is_none();
    let held = if question.is_heavy() { Held::new(Arc::clone(question)) } else { Held::default() };
    Ok(MetricResult { points, complete, incomplete, held })
}
