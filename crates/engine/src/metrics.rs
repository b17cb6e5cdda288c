//! Which metrics there are, and the points of one.

use crate::scan::{Scanner, Source, sources};
use arrow::array::RecordBatch;
use model::metric::MetricPoint;
use model::{Signal, TimeRange, otlp, schema};
use query::filter::{Comparison, Expression, Field, Operator, literal};
use query::result::{MetricName, MetricResult};
use query::{Error, MetricRequest};
use std::collections::BTreeMap;
use storage::Snapshot;

/// Names and counts come from statistics; unit, description and kind from the newest rows.
pub async fn names(scanner: &Scanner, snapshot: &Snapshot) -> Result<Vec<MetricName>, Error> {
    let mut names: BTreeMap<String, MetricName> = BTreeMap::new();
    for source in sources(snapshot, TimeRange::ALL) {
        let mut unseen = false;
        for operation in &source.statistics().operations {
            let entry = names.entry(operation.operation.clone()).or_insert_with(|| {
                unseen = true;
                MetricName { name: operation.operation.clone(), ..MetricName::default() }
            });
            entry.points += operation.rows;
        }
        if unseen {
            let columns = [schema::NAME, schema::UNIT, schema::DESCRIPTION, schema::METRIC_KIND];
            let all = (&Expression::All, TimeRange::ALL);
            let show = |batch: &RecordBatch| describe(&mut names, &otlp::metric_points(batch));
            scanner.each(&source, Signal::Metrics, all, Some(&columns), show).await?;
        }
    }
    Ok(names.into_values().collect())
}

fn describe(names: &mut BTreeMap<String, MetricName>, points: &[MetricPoint]) {
    for point in points {
        let Some(name) =
            names.get_mut(&point.name).filter(|name| name.unit.is_empty() && name.description.is_empty())
        else {
            continue;
        };
        (name.unit, name.description, name.kind) =
            (point.unit.clone(), point.description.clone(), point.kind);
    }
}

/// The newest points, given oldest first.
pub async fn points(
    scanner: &Scanner,
    snapshot: &Snapshot,
    request: &MetricRequest,
) -> Result<MetricResult, Error> {
    let value = literal(&Field::Name, &request.name);
    let filter = Expression::Compare(Comparison { field: Field::Name, operator: Operator::Equal, value });
    let has_it = |source: &Source| {
        source.statistics().operations.iter().any(|operation| operation.operation == request.name)
    };
    if !sources(snapshot, TimeRange::ALL).iter().any(has_it) {
        return Err(Error::NotFound { what: format!("the metric {:?}", request.name) });
    }
    let sources: Vec<Source> = sources(snapshot, request.range).into_iter().filter(has_it).collect();
    let mut points: Vec<MetricPoint> = Vec::new();
    for (number, source) in sources.iter().enumerate() {
        let wanted = (&filter, request.range);
        let batches = scanner.newest(source, Signal::Metrics, wanted, request.limit + 1).await?;
        points.extend(batches.iter().flat_map(otlp::metric_points));
        points.sort_by_key(|point| std::cmp::Reverse(point.time));
        // One more than asked for tells that there is more.
        points.truncate(request.limit + 1);
        let older = sources[number + 1..].iter().map(|source| source.statistics().last).max();
        if points.get(request.limit).zip(older).is_some_and(|(last, older)| last.time > older) {
            break;
        }
    }
    points.sort_by_key(|point| point.time);
    let complete = points.len() <= request.limit;
    let extra = points.len().saturating_sub(request.limit);
    Ok(MetricResult { points: points.split_off(extra), complete })
}
