//! OTLP's exponential histograms as native ones.

use super::stream::{Exponential, Timed};
use model::otlp::IndexedCounts;
use query::promql::{Buckets, Histogram};

/// Where OTLP gives no width of the bucket around zero.
const ZERO_THRESHOLD: f64 = 1e-128;

/// The native histogram of a point. Nothing when Prometheus has none for its buckets.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
pub fn histogram(point: Timed<Exponential>) -> Option<Timed<Histogram>> {
    let Timed { start, time, value } = point;
    let Some(Exponential { count, sum, buckets }) = value else {
        return Some(Timed { start, time, value: None });
    };
    let (positive, negative) = (floats(&buckets.positive), floats(&buckets.negative));
    let layout = Histogram::with_exponential_buckets(buckets.scale, positive, negative).ok()?;
    let value = Histogram {
        zero_threshold: if buckets.zero_threshold > 0.0 { buckets.zero_threshold } else { ZERO_THRESHOLD },
        zero_count: buckets.zero_count as f64,
        count: count as f64,
        sum,
        ..layout
    };
    Some(Timed { start, time, value: Some(value) })
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
fn floats(buckets: &IndexedCounts) -> Buckets {
    Buckets { offset: buckets.offset, counts: buckets.counts.iter().map(|count| *count as f64).collect() }
}
