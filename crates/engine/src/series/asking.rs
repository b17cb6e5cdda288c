//! Queries over series, from the first block read to the answer.

use super::names::{self, Metric};
use super::{SAMPLE_BYTES, SAMPLES, Stored, load};
use crate::{metrics, promql};
use model::metric::MetricKind;
use query::Error;
use query::promql::{Answer, MetricMetadata, PromqlRequest, Selection, Series};
use query::result::{Listed, MetricName};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::OwnedSemaphorePermit;

/// What an expression computes. Its turn is over when the thread that computes is done, whether anybody waits or not.
pub async fn promql(
    stored: Stored<'_>,
    request: PromqlRequest,
    turn: OwnedSemaphorePermit,
) -> Result<Answer, Error> {
    let selections = promql::selections(&request)?;
    let mut left = SAMPLES;
    let mut loaded: Vec<Arc<Vec<Series>>> = Vec::with_capacity(selections.len());
    for (number, selection) in selections.iter().enumerate() {
        let series = match same_before(&selections, number).and_then(|same| loaded.get(same)) {
            Some(series) => Arc::clone(series),
            None => Arc::new(load(stored, selection, &mut left).await?),
        };
        loaded.push(series);
    }
    let room = usize::try_from(stored.question.room() / SAMPLE_BYTES).unwrap_or(usize::MAX);
    let stopped = StopOnDrop::default();
    let asked = Arc::clone(&stopped.0);
    let interrupted = move || asked.load(Ordering::Relaxed);
    let answer = stored.question.compute(move || {
        let answer = promql::evaluate_within(&request, &loaded, &interrupted, room);
        drop(turn);
        answer
    });
    let answer = answer.await;
    drop(stopped);
    let mut answer = answer??;
    answer.warnings.extend(stored.question.incomplete());
    Ok(answer)
}

fn same_before(selections: &[Selection], number: usize) -> Option<usize> {
    let this = selections.get(number)?;
    selections.iter().take(number).position(|selection| selection == this)
}

/// Tells the thread that computes that nobody waits any more: the deadline passed, or the client went away.
#[derive(Default)]
struct StopOnDrop(Arc<AtomicBool>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What is known of the metrics, by their names in Prometheus.
pub async fn metadata(
    Stored { scanner, question, snapshot }: Stored<'_>,
) -> Result<Listed<MetricMetadata>, Error> {
    let Listed { items, incomplete, held, .. } = metrics::names(scanner, question, snapshot).await?;
    let mut metadata: Vec<MetricMetadata> = items.into_iter().map(described).collect();
    metadata.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.kind.cmp(other.kind)));
    metadata.dedup();
    Ok(Listed { items: metadata, incomplete, bytes: 0, held })
}

fn described(known: MetricName) -> MetricMetadata {
    let MetricName { kind, monotonic, .. } = known;
    let metric = Metric { name: &known.name, unit: &known.unit, kind, monotonic };
    let kind = match kind {
        MetricKind::Sum if monotonic => "counter",
        MetricKind::Gauge | MetricKind::Sum => "gauge",
        MetricKind::Histogram | MetricKind::ExponentialHistogram => "histogram",
        MetricKind::Summary => "summary",
    };
    MetricMetadata { name: metric.family(), kind, unit: names::unit(&known.unit), help: known.description }
}
