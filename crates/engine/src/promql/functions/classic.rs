//! Classic histograms: a series for each bucket, which counts what is not above its label `le`.

/// The upper bound of a bucket, and how many observations are not above it.
pub(super) type Bucket = (f64, f64);

/// Counts that fall by a smaller part than this are a matter of rounding.
const TOLERANCE: f64 = 1e-12;

/// Where counts fell from one bucket to the next, which is mended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fallen {
    /// The lowest bound of such a bucket.
    pub(super) lowest: f64,
    /// The highest one.
    pub(super) highest: f64,
    /// By how much it fell at most.
    pub(super) difference: f64,
}

/// The quantile of buckets sorted by their bounds. It is interpolated within a bucket; the lowest one begins at zero,
/// unless it ends there or below.
pub(super) fn quantile(quantile: f64, buckets: &mut Vec<Bucket>) -> (f64, Option<Fallen>) {
    if quantile.is_nan() {
        return (f64::NAN, None);
    }
    if quantile < 0.0 {
        return (f64::NEG_INFINITY, None);
    }
    if quantile > 1.0 {
        return (f64::INFINITY, None);
    }
    if !is_complete(buckets) {
        return (f64::NAN, None);
    }
    unite(buckets);
    let fallen = make_monotonic(buckets);
    (interpolated(quantile, buckets), fallen)
}

fn is_complete(buckets: &[Bucket]) -> bool {
    buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY)
}

fn interpolated(quantile: f64, buckets: &[Bucket]) -> f64 {
    let [finite @ .., (_, total)] = buckets else { return f64::NAN };
    let Some((highest, _)) = finite.last() else { return f64::NAN };
    if *total == 0.0 {
        return f64::NAN;
    }
    let rank = quantile * total;
    let place = finite.partition_point(|(_, count)| *count < rank);
    let before = place.checked_sub(1).and_then(|before| finite.get(before));
    match (before, finite.get(place)) {
        (_, None) => *highest,
        (None, Some((bound, _))) if *bound <= 0.0 => *bound,
        (before, Some((bound, count))) => {
            let (start, lower) = before.copied().unwrap_or((0.0, 0.0));
            start + (bound - start) * ((rank - lower) / (count - lower))
        }
    }
}

/// Buckets with the same bound become one.
fn unite(buckets: &mut Vec<Bucket>) {
    buckets.dedup_by(|next, kept| {
        let same = next.0 == kept.0;
        if same {
            kept.1 += next.1;
        }
        same
    });
}

/// A bucket must not count less than the one before.
fn make_monotonic(buckets: &mut [Bucket]) -> Option<Fallen> {
    let mut fallen: Option<Fallen> = None;
    let mut before = buckets.first()?.1;
    for (bound, count) in buckets.iter_mut().skip(1) {
        if *count == before {
            continue;
        }
        if !nearly_same(before, *count) {
            if *count >= before || count.is_nan() || before.is_nan() {
                before = *count;
                continue;
            }
            let so_far = fallen.unwrap_or(Fallen { lowest: *bound, highest: *bound, difference: 0.0 });
            fallen = Some(Fallen {
                lowest: so_far.lowest.min(*bound),
                highest: so_far.highest.max(*bound),
                difference: so_far.difference.max(before - *count),
            });
        }
        *count = before;
    }
    fallen
}

fn nearly_same(one: f64, other: f64) -> bool {
    if one.is_nan() && other.is_nan() {
        return true;
    }
    let (sum, difference) = (one.abs() + other.abs(), (one - other).abs());
    if one == 0.0 || other == 0.0 || sum < f64::MIN_POSITIVE {
        return difference < TOLERANCE * f64::MIN_POSITIVE;
    }
    difference / sum.min(f64::MAX) < TOLERANCE
}

/// Which part of the observations is between two values; buckets are sorted by their bounds.
pub(super) fn fraction((lower, upper): (f64, f64), buckets: &mut Vec<Bucket>) -> f64 {
    if !is_complete(buckets) {
        return f64::NAN;
    }
    unite(buckets);
    let total = buckets.last().map_or(0.0, |(_, count)| *count);
    if total == 0.0 || lower.is_nan() || upper.is_nan() {
        return f64::NAN;
    }
    if lower >= upper {
        return 0.0;
    }
    let rank = |value| match rank(value, buckets) {
        Some(rank) if rank > total => total,
        rank => rank.unwrap_or(total),
    };
    (rank(upper) - rank(lower)) / total
}

/// How many observations are below a value; nothing when it is above all buckets.
fn rank(value: f64, buckets: &[Bucket]) -> Option<f64> {
    let (first, _) = buckets.first()?;
    let mut lower = if *first <= 0.0 { f64::NEG_INFINITY } else { 0.0 };
    let mut rank = 0.0;
    for (upper, count) in buckets {
        if lower >= value {
            return Some(rank);
        }
        if *upper > value {
            return Some(match lower {
                f64::NEG_INFINITY => *count,
                _ => rank + (count - rank) * (value - lower) / (upper - lower),
            });
        }
        (lower, rank) = (*upper, *count);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const END: f64 = f64::INFINITY;

    #[test]
    fn quantiles_are_interpolated() {
        let cases: [(f64, &[Bucket], f64); 12] = [
            (0.5, &[(1.0, 5.0), (2.0, 10.0), (END, 10.0)], 1.0),
            (0.25, &[(1.0, 5.0), (2.0, 10.0), (END, 10.0)], 0.5),
            (0.75, &[(1.0, 5.0), (2.0, 10.0), (END, 10.0)], 1.5),
            (0.9, &[(1.0, 5.0), (2.0, 6.0), (END, 10.0)], 2.0),
            (0.1, &[(-1.0, 5.0), (2.0, 6.0), (END, 10.0)], -1.0),
            (0.5, &[(1.0, 5.0), (2.0, 10.0)], f64::NAN),
            (0.5, &[(END, 10.0)], f64::NAN),
            (0.5, &[(1.0, 0.0), (END, 0.0)], f64::NAN),
            (0.5, &[], f64::NAN),
            (0.5, &[(1.0, 2.0), (1.0, 3.0), (2.0, 10.0), (END, 10.0)], 1.0),
            (-1.0, &[(END, 1.0)], -END),
            (2.0, &[(END, 1.0)], END),
        ];
        for (part, buckets, expected) in cases {
            let (result, fallen) = quantile(part, &mut buckets.to_vec());
            assert!(result == expected || (result.is_nan() && expected.is_nan()), "{part} of {buckets:?}");
            assert_eq!(fallen, None);
        }
    }

    #[test]
    fn counts_do_not_fall() {
        let mut buckets = vec![(1.0, 5.0), (2.0, 3.0), (3.0, 4.0), (END, 10.0)];
        let (_, fallen) = quantile(0.5, &mut buckets);
        assert_eq!(fallen, Some(Fallen { lowest: 2.0, highest: 3.0, difference: 2.0 }));
        assert_eq!(buckets, [(1.0, 5.0), (2.0, 5.0), (3.0, 5.0), (END, 10.0)]);
        let mut rounded = vec![(1.0, 1e15), (2.0, 1e15 - 1.0), (END, 2e15)];
        assert_eq!(quantile(0.5, &mut rounded).1, None);
        assert_eq!(rounded, [(1.0, 1e15), (2.0, 1e15), (END, 2e15)]);
    }

    #[test]
    fn fractions_are_interpolated() {
        let buckets = [(1.0, 5.0), (2.0, 10.0), (END, 20.0)];
        for (lower, upper, expected) in
            [(0.0, 1.0, 0.25), (0.5, 1.5, 0.25), (-END, END, 1.0), (1.0, 5.0, 0.25), (2.0, 1.0, 0.0)]
        {
            assert_eq!(fraction((lower, upper), &mut buckets.to_vec()), expected, "{lower} to {upper}");
        }
        assert_eq!(fraction((-5.0, -2.0), &mut vec![(-1.0, 5.0), (END, 10.0)]), 0.0);
        assert!(fraction((0.0, 1.0), &mut vec![(1.0, 1.0)]).is_nan());
    }
}
