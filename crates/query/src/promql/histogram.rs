//! Native histograms, as Prometheus has them: OTLP's exponential histograms, or buckets with bounds of their own.

use std::sync::Arc;

/// A native histogram of floats.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Histogram {
    /// -4 to 8: a bucket's upper bound is `2^(2^-schema)` times the one before; -53: `bounds` has them.
    pub schema: i32,
    /// Observations up to this far from zero are in `zero_count`.
    pub zero_threshold: f64,
    /// Observations near zero.
    pub zero_count: f64,
    /// Observations, in all.
    pub count: f64,
    /// The sum of all observations.
    pub sum: f64,
    /// Buckets above zero. The one with index `i` ends at `2^(i * 2^-schema)`, or at `bounds[i]`.
    pub positive: Buckets,
    /// Buckets below zero, by distance from zero.
    pub negative: Buckets,
    /// With schema -53 the upper bounds of the buckets but the last, which has none; else empty.
    pub bounds: Arc<[f64]>,
    /// What is known of a reset between the sample before and this one.
    pub reset_hint: ResetHint,
}

/// Neighbouring buckets, without gaps.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Buckets {
    /// The index of the first one.
    pub offset: i32,
    /// Observations in each bucket alone, not those of the buckets before it.
    pub counts: Vec<f64>,
}

/// What is known of a counter's reset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ResetHint {
    /// It must be found out.
    #[default]
    Unknown,
    /// The counter began anew.
    Reset,
    /// It did not.
    NotReset,
    /// No counter at all.
    Gauge,
}
