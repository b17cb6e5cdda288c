//! Histograms from OTLP's.

use super::{Buckets, Histogram};
use std::sync::Arc;

/// A histogram that cannot be one of Prometheus'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unsupported {
    /// Coarser than any that is known.
    #[error("an exponential histogram's scale is below -4")]
    Scale,
    /// Buckets for values that no 64-bit float has.
    #[error("an exponential histogram has buckets for values that no float has")]
    Index,
    /// Bounds that are no numbers or not sorted, or not one fewer than buckets.
    #[error("a histogram's bounds are not sorted, or their number is not that of its buckets less one")]
    Bounds,
}

impl Histogram {
    /// With exponential buckets as OTLP numbers them: the one with index `i` *begins* at `2^(i * 2^-scale)`. A scale
    /// above 8 is brought down to 8. All but schema and buckets is zero.
    ///
    /// # Errors
    /// The scale is too small, or there are counts for values that no float has.
    pub fn with_exponential_buckets(
        scale: i32,
        positive: Buckets,
        negative: Buckets,
    ) -> Result<Self, Unsupported> {
        if scale < Self::COARSEST {
            return Err(Unsupported::Scale);
        }
        let levels = scale.saturating_sub(Self::FINEST).max(0).unsigned_abs();
        let schema = scale.min(Self::FINEST);
        let positive = exponential_buckets(positive, levels, schema)?;
        let negative = exponential_buckets(negative, levels, schema)?;
        Ok(Self { schema, positive, negative, ..Self::default() })
    }

    /// With bounds of its own. All but schema, bounds and buckets is zero.
    ///
    /// # Errors
    /// The bounds are not finite and rising, or not one fewer than the counts.
    pub fn with_custom_buckets(bounds: Arc<[f64]>, counts: Vec<f64>) -> Result<Self, Unsupported> {
        let rising =
            bounds.iter().all(|bound| bound.is_finite()) && bounds.is_sorted_by(|one, next| one < next);
        if !rising || counts.len() != bounds.len() + 1 {
            return Err(Unsupported::Bounds);
        }
        let mut positive = Buckets { offset: 0, counts };
        positive.compact();
        Ok(Self { schema: Self::CUSTOM, positive, bounds, ..Self::default() })
    }
}

fn exponential_buckets(mut buckets: Buckets, levels: u32, schema: i32) -> Result<Buckets, Unsupported> {
    buckets.compact();
    if buckets.counts.is_empty() {
        return Ok(buckets);
    }
    let length = i32::try_from(buckets.counts.len()).map_err(|_| Unsupported::Index)?;
    let first = buckets.offset.checked_add(1).ok_or(Unsupported::Index)?;
    let last = buckets.offset.checked_add(length).ok_or(Unsupported::Index)?;
    let at_eight =
        |index: i32| i64::from(((index - 1) >> levels.min(31)) + 1) << (Histogram::FINEST - schema);
    if at_eight(first) < -1076 << Histogram::FINEST || at_eight(last) > 1025 << Histogram::FINEST {
        return Err(Unsupported::Index);
    }
    buckets.offset = first;
    Ok(if levels == 0 { buckets } else { buckets.reduced(levels.min(31)) })
}
