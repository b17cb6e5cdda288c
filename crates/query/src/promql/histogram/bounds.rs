//! Where buckets end.

use super::{Histogram, Number};
use std::sync::LazyLock;

/// `2^(i / 256)`: within each power of two, the bounds of the finest schema; coarser ones have some of them.
static FINEST_BOUNDS: LazyLock<[f64; 256]> =
    LazyLock::new(|| std::array::from_fn(|index| (index as f64 / 256.0).exp2()));

/// Where the bucket with this index ends, by distance from zero.
pub(super) fn exponential(index: i32, schema: i32) -> f64 {
    let schema = schema.clamp(Histogram::COARSEST, Histogram::FINEST);
    let Ok(fineness) = u32::try_from(schema) else {
        let exponent = i64::from(index) << schema.unsigned_abs();
        return power_of_two(1.0, exponent);
    };
    let within = usize::try_from(index.rem_euclid(1 << fineness)).unwrap_or_default();
    let fraction = FINEST_BOUNDS.get(within << (Histogram::FINEST.unsigned_abs() - fineness));
    power_of_two(fraction.copied().unwrap_or(1.0), i64::from(index >> fineness))
}

/// The greatest number ends the last bucket: infinite observations have one of their own.
fn power_of_two(fraction: f64, exponent: i64) -> f64 {
    match exponent {
        1024 if fraction <= 1.0 => f64::MAX,
        1024.. => f64::INFINITY,
        _ => fraction * (exponent as f64).exp2(),
    }
}

impl<N: Number> Histogram<N> {
    /// Where the bucket with this index ends, by distance from zero.
    pub(super) fn bound(&self, index: i32) -> f64 {
        if !self.is_custom() {
            return exponential(index, self.schema);
        }
        match usize::try_from(index) {
            Ok(index) => self.bounds.get(index).copied().unwrap_or(f64::INFINITY),
            Err(_) => f64::NEG_INFINITY,
        }
    }
}
