//! Queries over series, from the first block read to the answer.

use super::names::{self, Metric};
use super::stream::milliseconds;
use super::{SAMPLES, load};
use crate::scan::{Scanner, damage};
use crate::{compute, metrics, promql};
use model::metric::MetricKind;
use query::Error;
use query::promql::{Answer, MetricMetadata, PromqlRequest, Selection, Series};
use query::result::MetricName;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use storage::{Block, Snapshot};
use tokio::sync::OwnedSemaphorePermit;

/// What an expression computes. Its turn is over when the thread that computes is done, whether anybody waits or not.
pub async fn promql(
    scanner: &Scanner,
    snapshot: &Snapshot,
    request: PromqlRequest,
    turn: OwnedSemaphorePermit,
) -> Result<Answer, Error> {
    let selections = promql::selections(&request)?;
    let mut left = SAMPLES;
    let mut loaded: Vec<Arc<Vec<Series>>> = Vec::with_capacity(selections.len());
    for (number, selection) in selections.iter().enumerate() {
        let series = match same_before(&selections, number).and_then(|same| loaded.get(same)) {
            Some(series) => Arc::clone(series),
            None => Arc::new(load(scanner, snapshot, selection, &mut left).await?),
        };
        loaded.push(series);
    }
    let damaged = damage(damaged_blocks(snapshot, &selections));
    let stopped = StopOnDrop::default();
    let asked = Arc::clone(&stopped.0);
    let interrupted = move || asked.load(Ordering::Relaxed);
    let answer = compute(move || {
        let answer = promql::evaluate(&request, &loaded, &interrupted);
        drop(turn);
        answer
    });
    let answer = answer.await;
    drop(stopped);
    let mut answer = answer??;
    answer.warnings.extend(damaged);
    Ok(answer)
}

/// How many of the blocks that hold something of these times are known to be damaged.
fn damaged_blocks(snapshot: &Snapshot, selections: &[Selection]) -> u64 {
    let wanted = |block: &Block| {
        let (first, last) = (block.statistics().first.0, block.statistics().last.0);
        let within = |selection: &Selection| {
            selection.from <= milliseconds(last) && milliseconds(first) <= selection.to
        };
        block.is_damaged() && selections.iter().any(within)
    };
    snapshot.blocks.iter().filter(|block| wanted(block)).count() as u64
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
pub async fn metadata(scanner: &Scanner, snapshot: &Snapshot) -> Result<Vec<MetricMetadata>, Error> {
    let mut metadata: Vec<MetricMetadata> =
        metrics::names(scanner, snapshot).await?.into_iter().map(described).collect();
    metadata.sort_by(|one, other| one.name.cmp(&other.name).then_with(|| one.kind.cmp(other.kind)));
    metadata.dedup();
    Ok(metadata)
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
