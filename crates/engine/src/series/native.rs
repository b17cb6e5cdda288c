//! OTLP's exponential histograms as native ones.

use super::stream::{Exponential, Timed};
use model::otlp::IndexedCounts;
use query::promql::{Buckets, Histogram};

/// The finest and the coarsest schema of Prometheus.
const SCHEMAS: (i32, i32) = (-4, 8);
/// Where OTLP gives no width of the bucket around zero.
const ZERO_THRESHOLD: f64 = 1e-128;

/// The native histogram of a point. Nothing when its buckets are wider than Prometheus knows.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
pub fn histogram(point: Timed<Exponential>) -> Option<Timed<Histogram>> {
    let Timed { start, time, value } = point;
    let Some(Exponential { count, sum, buckets }) = value else { return Some(Timed { start, time, value: None }) };
    if buckets.scale < SCHEMAS.0 {
        return None;
    }
    let schema = buckets.scale.min(SCHEMAS.1);
    let levels = u32::try_from(buckets.scale - schema).unwrap_or_default();
    let value = Histogram {
        schema,
        zero_threshold: if buckets.zero_threshold > 0.0 { buckets.zero_threshold } else { ZERO_THRESHOLD },
        zero_count: buckets.zero_count as f64,
        count: count as f64,
        sum,
        positive: reduced(&buckets.positive, levels),
        negative: reduced(&buckets.negative, levels),
        ..Histogram::default()
    };
    Some(Timed { start, time, value: Some(value) })
}

/// Two buckets become one, `levels` times. OTLP counts a bucket by where it begins, Prometheus by where it ends.
#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
fn reduced(buckets: &IndexedCounts, levels: u32) -> Buckets {
    let levels = levels.min(31);
    let first = buckets.offset >> levels;
    let mut counts: Vec<f64> = Vec::new();
    for (index, count) in (i64::from(buckets.offset)..).zip(&buckets.counts) {
        let place = usize::try_from((index >> levels) - i64::from(first)).unwrap_or_default();
        if place >= counts.len() {
            counts.resize(place + 1, 0.0);
        }
        if let Some(sum) = counts.get_mut(place) {
            *sum += *count as f64;
        }
    }
    Buckets { offset: first.saturating_add(1), counts }
}

#[cfg(test)]
mod tests {
    use super::histogram;
    use crate::series::stream::{Exponential, Timed};
    use model::otlp::{ExponentialBuckets, IndexedCounts};
    use query::promql::{Buckets, Histogram};

    fn converted(scale: i32, positive: IndexedCounts) -> Option<Histogram> {
        let buckets = ExponentialBuckets { scale, positive, ..ExponentialBuckets::default() };
        let point = Timed { start: 0, time: 1, value: Some(Exponential { count: 6, sum: 2.5, buckets }) };
        histogram(point).and_then(|point| point.value)
    }

    #[test]
    fn buckets_are_counted_by_their_ends() {
        let found = converted(3, IndexedCounts { offset: -2, counts: vec![1, 2, 3] }).unwrap();
        assert_eq!((found.schema, found.count, found.sum), (3, 6.0, 2.5));
        assert_eq!(found.positive, Buckets { offset: -1, counts: vec![1.0, 2.0, 3.0] });
    }

    #[test]
    fn fine_buckets_are_joined() {
        let found = converted(10, IndexedCounts { offset: -5, counts: vec![1, 2, 3, 4, 5, 6] }).unwrap();
        assert_eq!((found.schema, found.positive), (8, Buckets { offset: -1, counts: vec![1.0, 14.0, 6.0] }));
        assert_eq!(converted(-5, IndexedCounts::default()), None);
    }
}
