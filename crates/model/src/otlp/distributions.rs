//! What the bytes of a point ([`crate::schema::POINT`]) say of a distribution: buckets and quantiles.

use super::wire::{Data, Fields, Slice};

/// The buckets of OTLP's `HistogramDataPoint`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExplicitBuckets {
    /// Observations in each bucket alone; one more than there are bounds, or none at all.
    pub counts: Vec<u64>,
    /// The upper bounds of all buckets but the last, each in its bucket.
    pub bounds: Vec<f64>,
}

/// The buckets of OTLP's `ExponentialHistogramDataPoint`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ExponentialBuckets {
    /// A bucket's upper bound is `2^(2^-scale)` times its lower bound.
    pub scale: i32,
    /// Observations up to `zero_threshold` from zero.
    pub zero_count: u64,
    pub zero_threshold: f64,
    /// Buckets above zero.
    pub positive: IndexedCounts,
    /// Buckets below zero, by distance from zero.
    pub negative: IndexedCounts,
}

/// Neighbouring buckets. The one with index `i` is above `2^(i * 2^-scale)`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct IndexedCounts {
    /// The index of the first one.
    pub offset: i32,
    pub counts: Vec<u64>,
}

/// The buckets of a histogram's point.
#[must_use]
pub fn explicit_buckets(point: &[u8]) -> ExplicitBuckets {
    let mut buckets = ExplicitBuckets::default();
    for (number, data) in Fields::new(Slice { bytes: point, at: 0 }).flatten() {
        match number {
            6 => each_fixed64(data, |count| buckets.counts.push(count)),
            7 => each_fixed64(data, |bound| buckets.bounds.push(f64::from_bits(bound))),
            _ => {}
        }
    }
    buckets
}

/// The buckets of an exponential histogram's point.
#[must_use]
pub fn exponential_buckets(point: &[u8]) -> ExponentialBuckets {
    let mut buckets = ExponentialBuckets::default();
    for (number, data) in Fields::new(Slice { bytes: point, at: 0 }).flatten() {
        match number {
            6 => buckets.scale = zigzag(data),
            7 => buckets.zero_count = data.number(),
            8 => buckets.positive = indexed_counts(data),
            9 => buckets.negative = indexed_counts(data),
            14 => buckets.zero_threshold = data.double(),
            _ => {}
        }
    }
    buckets
}

/// The quantiles of a summary's point, each with its value.
#[must_use]
pub fn quantiles(point: &[u8]) -> Vec<(f64, f64)> {
    let fields = Fields::new(Slice { bytes: point, at: 0 }).flatten();
    fields.filter(|(number, _)| *number == 6).map(|(_, data)| quantile(data)).collect()
}

fn quantile(data: Data<'_>) -> (f64, f64) {
    let (mut quantile, mut value) = (0.0, 0.0);
    for (number, data) in Fields::new(data.slice()).flatten() {
        match number {
            1 => quantile = data.double(),
            2 => value = data.double(),
            _ => {}
        }
    }
    (quantile, value)
}

fn indexed_counts(data: Data<'_>) -> IndexedCounts {
    let mut buckets = IndexedCounts::default();
    for (number, data) in Fields::new(data.slice()).flatten() {
        match (number, data) {
            (1, data) => buckets.offset = zigzag(data),
            (2, Data::Bytes(packed)) => buckets.counts.extend(Fields::numbers(packed)),
            (2, single) => buckets.counts.push(single.number()),
            _ => {}
        }
    }
    buckets
}

/// Numbers of a repeated 64-bit field, packed or one by one.
fn each_fixed64(data: Data<'_>, mut take: impl FnMut(u64)) {
    match data {
        Data::Bytes(packed) => {
            let (numbers, _) = packed.bytes.as_chunks::<8>();
            numbers.iter().for_each(|bytes| take(u64::from_le_bytes(*bytes)));
        }
        single => take(single.number()),
    }
}

/// A `sint32`.
fn zigzag(data: Data<'_>) -> i32 {
    let number = data.number32();
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::{ExplicitBuckets, IndexedCounts, explicit_buckets, exponential_buckets, quantiles};
    use crate::batch::Encoding;
    use crate::{Signal, TenantId, otlp};

    /// The bytes of the one point of a metric that is written in OTLP's JSON.
    fn point(metric: &str) -> Vec<u8> {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m",{metric}}}]}}]}}]}}"#
        );
        let batch = otlp::decode(TenantId::default(), Signal::Metrics, Encoding::Json, json.into()).unwrap();
        otlp::metric_points(&batch.columns[0]).remove(0).wire
    }

    #[test]
    fn explicit_buckets_are_read() {
        let wire = point(
            r#""histogram":{"dataPoints":[{"count":"6","sum":9.5,"bucketCounts":["1","2","3"],"explicitBounds":[0.5,10]}]}"#,
        );
        let expect = ExplicitBuckets { counts: vec![1, 2, 3], bounds: vec![0.5, 10.0] };
        assert_eq!(explicit_buckets(&wire), expect);
    }

    #[test]
    fn exponential_buckets_are_read() {
        let wire = point(
            r#""exponentialHistogram":{"dataPoints":[{"count":"9","scale":-2,"zeroCount":"2","zeroThreshold":0.25,
            "positive":{"offset":-3,"bucketCounts":["1","300"]},"negative":{"offset":4,"bucketCounts":["5"]}}]}"#,
        );
        let buckets = exponential_buckets(&wire);
        assert_eq!((buckets.scale, buckets.zero_count, buckets.zero_threshold), (-2, 2, 0.25));
        assert_eq!(buckets.positive, IndexedCounts { offset: -3, counts: vec![1, 300] });
        assert_eq!(buckets.negative, IndexedCounts { offset: 4, counts: vec![5] });
    }

    #[test]
    fn quantiles_are_read() {
        let wire = point(
            r#""summary":{"dataPoints":[{"count":"2","sum":3,"quantileValues":[{"quantile":0.5,"value":1},{"quantile":0.99,"value":2}]}]}"#,
        );
        assert_eq!(quantiles(&wire), [(0.5, 1.0), (0.99, 2.0)]);
    }
}
