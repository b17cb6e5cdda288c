//! Native histograms: tables of cases, and what holds of all of them.

use super::*;
use proptest::prelude::*;

fn exponential(schema: i32, offset: i32, counts: &[f64]) -> Histogram {
    let positive = Buckets { offset, counts: counts.to_vec() };
    let count = counts.iter().sum();
    Histogram { schema, positive, count, sum: count, ..Histogram::default() }
}

fn custom(bounds: &[f64], counts: &[f64]) -> Histogram {
    let mut histogram = Histogram::with_custom_buckets(bounds.into(), counts.to_vec()).unwrap();
    histogram.count = counts.iter().sum();
    histogram
}

fn below_zero(mut histogram: Histogram) -> Histogram {
    std::mem::swap(&mut histogram.positive, &mut histogram.negative);
    histogram
}

fn bounds(histogram: &Histogram) -> Vec<(f64, f64, f64)> {
    histogram.buckets().map(|bucket| (bucket.lower, bucket.upper, bucket.count)).collect()
}

fn close(one: f64, other: f64) -> bool {
    one == other || (one.is_nan() && other.is_nan()) || (one - other).abs() <= 1e-9 * other.abs()
}

#[test]
fn buckets_end_where_the_schema_says() {
    for (index, schema, bound) in [
        (0, 0, 1.0),
        (1, 0, 2.0),
        (-1, 0, 0.5),
        (1, 1, 2_f64.sqrt()),
        (-1, 1, 0.5_f64.sqrt()),
        (1, -1, 4.0),
        (-1, -4, 2_f64.powi(-16)),
        (256, 8, 2.0),
        (1024, 0, f64::MAX),
        (1025, 0, f64::INFINITY),
        (64, -4, f64::MAX),
        (65, -4, f64::INFINITY),
        (1024 << 8, 8, f64::MAX),
        (-1074, 0, f64::from_bits(1)),
        (-1080, 0, 0.0),
    ] {
        assert!(close(super::bounds::exponential(index, schema), bound), "{index} {schema}");
    }
}

#[test]
fn buckets_are_listed_from_the_lowest_to_the_highest() {
    let mut histogram = exponential(0, 1, &[1.0, 0.0, 2.0]);
    histogram.negative = Buckets { offset: 0, counts: vec![3.0, 4.0] };
    histogram.zero_count = 5.0;
    histogram.zero_threshold = 0.75;
    let expected =
        [(-2.0, -1.0, 4.0), (-1.0, -0.75, 3.0), (-0.75, 0.75, 5.0), (1.0, 2.0, 1.0), (4.0, 8.0, 2.0)];
    assert_eq!(bounds(&histogram), expected);
    let rules: Vec<u8> = histogram.buckets().map(|bucket| bucket.rule as u8).collect();
    assert_eq!(rules, [1, 1, 3, 0, 0]);
    let custom = custom(&[5.0], &[1.0, 2.0]);
    assert_eq!(bounds(&custom), [(f64::NEG_INFINITY, 5.0, 1.0), (5.0, f64::INFINITY, 2.0)]);
    assert_eq!(custom.buckets().next().unwrap().rule, Rule::Closed);
}

#[test]
fn the_sum_has_the_coarser_schema() {
    let mut sum = exponential(1, 1, &[1.0, 2.0, 3.0, 4.0]);
    sum.add(&exponential(0, 1, &[10.0, 20.0])).unwrap();
    assert_eq!((sum.schema, bounds(&sum)), (0, vec![(1.0, 2.0, 13.0), (2.0, 4.0, 27.0)]));
    let mut sum = exponential(0, 1, &[10.0, 20.0]);
    sum.add(&exponential(1, 1, &[1.0, 2.0, 3.0, 4.0])).unwrap();
    assert_eq!((sum.schema, bounds(&sum)), (0, vec![(1.0, 2.0, 13.0), (2.0, 4.0, 27.0)]));
}

#[test]
fn the_bucket_around_zero_takes_whole_buckets() {
    let mut one = exponential(0, -1, &[1.0, 2.0, 4.0]);
    one.negative = Buckets { offset: 2, counts: vec![8.0] };
    let mut other = exponential(0, 3, &[16.0]);
    other.zero_threshold = 0.6;
    other.zero_count = 32.0;
    let (mut sum, mut mirrored) = (one.clone(), other.clone());
    sum.add(&other).unwrap();
    mirrored.add(&one).unwrap();
    assert_eq!((sum.zero_threshold, sum.zero_count), (1.0, 35.0));
    assert_eq!(bounds(&sum), [(-4.0, -2.0, 8.0), (-1.0, 1.0, 35.0), (1.0, 2.0, 4.0), (4.0, 8.0, 16.0)]);
    assert!(sum.same_as(&mirrored));
}

#[test]
fn a_bucket_on_the_other_side_may_widen_it_further() {
    let mut one = exponential(0, 2, &[1.0]);
    one.negative = Buckets { offset: 1, counts: vec![1.0, 1.0] };
    one.widen_zero_bucket(1.5);
    assert_eq!((one.zero_threshold, one.zero_count), (2.0, 1.0));
    assert_eq!(bounds(&one), [(-4.0, -2.0, 1.0), (-2.0, 2.0, 1.0), (2.0, 4.0, 1.0)]);
}

#[test]
fn of_custom_bounds_those_stay_that_both_have() {
    let mut sum = custom(&[1.0, 2.0, 5.0], &[1.0, 2.0, 3.0, 4.0]);
    let told = sum.add(&custom(&[2.0, 3.0, 5.0], &[10.0, 20.0, 30.0, 40.0])).unwrap();
    assert!(told.bounds_reconciled);
    let infinity = f64::INFINITY;
    assert_eq!(bounds(&sum), [(-infinity, 2.0, 13.0), (2.0, 5.0, 53.0), (5.0, infinity, 44.0)]);
    let mut sum = custom(&[1.0], &[1.0, 2.0]);
    sum.subtract(&custom(&[2.0], &[1.0, 4.0])).unwrap();
    assert_eq!(bounds(&sum), [(-infinity, infinity, -2.0)]);
}

#[test]
fn custom_and_exponential_buckets_are_not_added() {
    assert_eq!(exponential(0, 0, &[1.0]).add(&custom(&[1.0], &[1.0, 1.0])), Err(IncompatibleBuckets));
}

#[test]
fn hints_of_resets_are_combined() {
    use ResetHint::{Gauge, NotReset, Reset, Unknown};
    for (one, other, expected, collide) in [
        (Reset, Reset, Reset, false),
        (Gauge, Reset, Gauge, false),
        (NotReset, Gauge, Gauge, false),
        (Unknown, Reset, Unknown, false),
        (NotReset, Unknown, Unknown, false),
        (Reset, NotReset, Unknown, true),
    ] {
        let with = |reset_hint| Histogram { reset_hint, ..Histogram::default() };
        let mut sum = with(one);
        assert_eq!(sum.add(&with(other)).unwrap().resets_collide, collide);
        assert_eq!(sum.reset_hint, expected);
    }
}

#[test]
fn a_division_by_zero_leaves_no_buckets() {
    let mut histogram = exponential(0, 0, &[1.0]);
    histogram.divide(0.0);
    assert_eq!((histogram.count, bounds(&histogram)), (f64::INFINITY, vec![]));
    histogram.multiply(-1.0);
    assert_eq!(histogram.reset_hint, ResetHint::Gauge);
}

#[test]
fn empty_buckets_do_not_make_a_difference() {
    let one = exponential(0, 0, &[0.0, 1.0, 0.0]);
    assert!(one.same_as(&exponential(0, 1, &[1.0])));
    assert!(!one.same_as(&exponential(0, 0, &[1.0])));
    let mut compact = one.clone();
    compact.compact();
    assert_eq!(compact.positive, Buckets { offset: 1, counts: vec![1.0] });
}

#[test]
fn resets_are_found() {
    let before = exponential(1, 0, &[2.0, 2.0]);
    let threshold = |zero_threshold| Histogram { zero_threshold, ..exponential(1, 0, &[9.0, 9.0]) };
    for (now, expected) in [
        (exponential(1, 0, &[2.0, 3.0]), false),
        (exponential(1, 0, &[4.0, 1.0]), true),
        (exponential(1, 1, &[9.0]), true),
        (exponential(0, 0, &[4.0]), true),
        (exponential(0, 0, &[2.0, 2.0]), false),
        (exponential(2, 0, &[9.0; 9]), true),
        (threshold(0.1), false),
        (threshold(0.9), true),
        (custom(&[1.0], &[9.0, 9.0]), true),
        (Histogram { reset_hint: ResetHint::Reset, ..exponential(1, 0, &[2.0, 3.0]) }, true),
        (Histogram { reset_hint: ResetHint::NotReset, ..exponential(1, 0, &[1.0]) }, false),
    ] {
        assert_eq!(now.is_reset(&before), expected, "{now:?}");
    }
    assert!(before.is_reset(&threshold(0.0)));
    let wide = custom(&[1.0, 2.0], &[1.0, 2.0, 3.0]);
    assert!(!custom(&[2.0], &[3.0, 3.0]).is_reset(&wide));
    assert!(custom(&[2.0], &[2.0, 9.0]).is_reset(&wide));
}

#[test]
fn quantiles_are_interpolated() {
    let infinity = f64::INFINITY;
    let one = || exponential(0, 1, &[1.0, 1.0]);
    let mut zero = exponential(0, 1, &[1.0]);
    (zero.zero_count, zero.count, zero.zero_threshold) = (3.0, 4.0, 0.5);
    for (histogram, part, expected) in [
        (one(), 0.25, 2_f64.sqrt()),
        (one(), 0.75, 8_f64.sqrt()),
        (one(), 1.0, 4.0),
        (one(), 0.0, 1.0),
        (one(), -0.1, -infinity),
        (one(), 1.1, infinity),
        (one(), f64::NAN, f64::NAN),
        (Histogram::default(), 0.5, f64::NAN),
        (below_zero(one()), 0.25, -(8_f64.sqrt())),
        (below_zero(one()), 0.75, -(2_f64.sqrt())),
        (zero.clone(), 0.375, 0.25),
        (below_zero(zero), 0.625, -0.25),
        (custom(&[2.0, 4.0], &[1.0, 2.0, 1.0]), 0.5, 3.0),
        (custom(&[2.0, 4.0], &[1.0, 2.0, 1.0]), 0.125, 1.0),
        (custom(&[2.0, 4.0], &[1.0, 2.0, 1.0]), 0.9, 4.0),
        (custom(&[-2.0], &[1.0, 0.0]), 0.5, -2.0),
        (custom(&[], &[1.0]), 0.5, infinity),
    ] {
        let (quantile, told) = histogram.quantile(part);
        assert!(close(quantile, expected) && told.is_none(), "{part}: {quantile}, not {expected}");
    }
}

#[test]
fn observations_that_are_no_number_are_the_greatest() {
    let mut histogram = exponential(0, 1, &[1.0]);
    (histogram.count, histogram.sum) = (2.0, f64::NAN);
    let (quantile, told) = histogram.quantile(0.25);
    assert_eq!((quantile, told), (2_f64.sqrt(), Some(NotANumber::SkewsResult)));
    let (quantile, told) = histogram.quantile(0.75);
    assert!(quantile.is_nan() && told == Some(NotANumber::IsResult));
    assert_eq!(histogram.fraction(f64::NEG_INFINITY, f64::INFINITY), (0.5, Some(NotANumber::LeftOut)));
}

#[test]
fn fractions_are_interpolated() {
    let infinity = f64::INFINITY;
    let one = || exponential(0, 1, &[1.0, 1.0]);
    for (histogram, lower, upper, expected) in [
        (one(), -infinity, infinity, 1.0),
        (one(), 1.0, 2.0, 0.5),
        (one(), 2_f64.sqrt(), 8_f64.sqrt(), 0.5),
        (one(), 3.0, 3.0, 0.0),
        (one(), f64::NAN, 3.0, f64::NAN),
        (below_zero(one()), -(8_f64.sqrt()), 0.0, 0.75),
        (custom(&[2.0, 4.0], &[1.0, 2.0, 1.0]), 3.0, 5.0, 0.25),
        (custom(&[2.0, 4.0], &[1.0, 2.0, 1.0]), 1.0, 4.0, 0.625),
        (Histogram::default(), 0.0, 1.0, f64::NAN),
    ] {
        let (fraction, _) = histogram.fraction(lower, upper);
        assert!(close(fraction, expected), "{lower} to {upper}: {fraction}, not {expected}");
    }
}

#[test]
fn a_histogram_is_cut() {
    let cut = |mut histogram: Histogram, limit: f64, above: bool| {
        if above {
            histogram.keep_above(limit);
        } else {
            histogram.keep_below(limit);
        }
        (histogram.count, histogram.sum, bounds(&histogram).len())
    };
    let one = || exponential(0, 1, &[4.0, 4.0]);
    assert_eq!(cut(one(), 9.0, false), (8.0, 8.0, 2));
    assert_eq!(cut(one(), 0.0, true), (8.0, 8.0, 2));
    assert_eq!(cut(one(), 1.0, false), (0.0, 0.0, 0));
    assert_eq!(cut(one(), f64::NAN, false), (0.0, 0.0, 0));
    let (count, sum, buckets) = cut(one(), 2_f64.sqrt(), false);
    assert!(close(count, 2.0) && close(sum, 2.0 * 2_f64.powf(0.25)) && buckets == 1);
    let (count, sum, buckets) = cut(below_zero(one()), -2.0, true);
    assert!(close(count, 4.0) && close(sum, -4.0 * 2_f64.sqrt()) && buckets == 1);
    let own = || custom(&[2.0, 4.0], &[4.0, 4.0, 4.0]);
    assert_eq!(cut(own(), 3.0, false), (6.0, 4.0 + 5.0, 2));
    assert_eq!(cut(own(), 1.0, true), (10.0, 3.0 + 12.0 + 16.0, 3));
    assert_eq!(cut(own(), 5.0, true), (4.0, 20.0, 1));
    let zero = Histogram { zero_count: 4.0, count: 4.0, zero_threshold: 1.0, ..Histogram::default() };
    assert_eq!(cut(zero.clone(), 0.5, false), (3.0, -0.75, 1));
    assert_eq!(cut(zero, 0.5, true), (1.0, 0.75, 1));
}

#[test]
fn mean_and_variance() {
    let mut histogram = custom(&[2.0, 4.0], &[0.0, 2.0, 0.0]);
    histogram.sum = 4.0;
    assert_eq!((histogram.mean(), histogram.variance(), histogram.standard_deviation()), (2.0, 1.0, 1.0));
    let mut histogram = exponential(-1, 1, &[2.0]);
    histogram.sum = 2.0;
    assert_eq!((histogram.mean(), histogram.variance()), (1.0, 1.0));
}

#[test]
fn sums_keep_what_rounding_takes() {
    let parts = [1e100, 1.0, -1e100].map(|sum| Histogram { sum, ..exponential(0, 0, &[sum]) });
    let mut total: Histogram<Kahan> = Histogram::default();
    for part in &parts {
        total.add(part).unwrap();
    }
    let total = total.map(Number::value);
    assert_eq!((total.sum, total.positive.counts), (1.0, vec![1.0]));
    assert_eq!([1e100, 1.0, -1e100].into_iter().collect::<Kahan>().value(), 1.0);
    assert_eq!([f64::MAX, f64::MAX].into_iter().collect::<Kahan>().value(), f64::INFINITY);
}

#[test]
fn exponential_histograms_of_otlp() {
    let of = |scale, offset, counts: &[f64]| {
        let positive = Buckets { offset, counts: counts.to_vec() };
        Histogram::with_exponential_buckets(scale, positive, Buckets::default())
    };
    assert_eq!(bounds(&of(0, 0, &[1.0, 2.0]).unwrap()), [(1.0, 2.0, 1.0), (2.0, 4.0, 2.0)]);
    let fine = of(10, -4, &[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
    assert_eq!((fine.schema, &fine.positive.counts), (8, &vec![10.0, 5.0]));
    assert_eq!(bounds(&fine).first().map(|first| first.1), Some(1.0));
    assert_eq!(of(-5, 0, &[1.0]), Err(Unsupported::Scale));
    for (scale, offset) in
        [(0, 1100), (0, i32::MAX), (20, i32::MAX), (0, i32::MIN), (8, -1_000_000), (0, -1090)]
    {
        assert_eq!(of(scale, offset, &[1.0]), Err(Unsupported::Index), "{scale} {offset}");
    }
    assert!(of(0, i32::MAX, &[0.0]).is_ok() && of(8, (1024 << 8) - 1, &[1.0]).is_ok());
    assert!(of(20, -1_000, &[1.0]).is_ok() && of(i32::MAX, 0, &[1.0]).is_ok());
    assert!(Histogram::with_custom_buckets([2.0, 1.0].into(), vec![0.0; 3]).is_err());
    assert!(Histogram::with_custom_buckets([1.0].into(), vec![0.0; 3]).is_err());
}

fn any_exponential() -> impl Strategy<Value = Histogram> {
    let counts = || proptest::collection::vec((0..100_u32).prop_map(f64::from), 0..40);
    let buckets = move || (-30..30, counts()).prop_map(|(offset, counts)| Buckets { offset, counts });
    (-4..=8, buckets(), buckets(), 0..9_u32, 0.0..4.0_f64).prop_map(
        |(schema, positive, negative, zero_count, zero_threshold)| {
            let zero_count = f64::from(zero_count);
            let count = zero_count + positive.counts.iter().chain(&negative.counts).sum::<f64>();
            Histogram {
                schema,
                positive,
                negative,
                zero_count,
                count,
                sum: 1.5,
                ..Histogram { zero_threshold, ..Histogram::default() }
            }
        },
    )
}

fn any_custom() -> impl Strategy<Value = Histogram> {
    proptest::collection::btree_map(-20..20_i32, 0..100_u32, 1..20).prop_map(|buckets| {
        let bounds: Vec<f64> = buckets.keys().map(|bound| f64::from(*bound)).collect();
        let counts: Vec<f64> = buckets.values().map(|count| f64::from(*count)).chain([7.0]).collect();
        custom(&bounds, &counts)
    })
}

fn in_buckets(histogram: &Histogram) -> f64 {
    histogram.buckets().map(|bucket| bucket.count).sum()
}

proptest! {
    #[test]
    fn what_is_added_and_subtracted_is_gone(one in any_exponential(), other in any_exponential()) {
        let (mut there, mut mirrored) = (one.clone(), other.clone());
        there.add(&other).unwrap();
        mirrored.add(&one).unwrap();
        prop_assert!(there.same_as(&mirrored));
        prop_assert_eq!(in_buckets(&there), one.count + other.count);
        prop_assert!(!there.is_reset(&one) && !there.is_reset(&other));
        let mut back = there.clone();
        back.subtract(&other).unwrap();
        prop_assert_eq!((back.count, back.sum), (one.count, one.sum));
        there.multiply(0.0);
        there.add(&one).unwrap();
        prop_assert!(back.same_as(&there));
    }

    #[test]
    fn coarser_buckets_hold_as_much(histogram in any_exponential(), schema in -4..8) {
        let mut coarse = histogram.clone();
        coarse.reduce(schema);
        prop_assert_eq!(coarse.schema, histogram.schema.min(schema));
        let count = |buckets: &Buckets| buckets.counts.iter().sum::<f64>();
        prop_assert_eq!(count(&coarse.positive), count(&histogram.positive));
        prop_assert_eq!(count(&coarse.negative), count(&histogram.negative));
    }

    #[test]
    fn custom_buckets_are_added_and_subtracted(one in any_custom(), other in any_custom()) {
        let (mut there, mut mirrored) = (one.clone(), other.clone());
        there.add(&other).unwrap();
        mirrored.add(&one).unwrap();
        prop_assert!(there.same_as(&mirrored));
        prop_assert_eq!(in_buckets(&there), one.count + other.count);
        there.subtract(&other).unwrap();
        prop_assert_eq!(in_buckets(&there), one.count);
    }

    #[test]
    fn a_fraction_is_the_inverse_of_a_quantile(histogram in any_exponential(), part in 0.0..1.0) {
        let (quantile, _) = histogram.quantile(part);
        let (fraction, _) = histogram.fraction(f64::NEG_INFINITY, quantile);
        let zero = Histogram { zero_threshold: 0.0, ..histogram };
        let overlaps = in_buckets(&zero) > 0.0 && zero.buckets().any(|bucket| bucket.lower.abs() < 4.0);
        prop_assert!(fraction.is_nan() || overlaps || (fraction - part).abs() < 1e-6, "{} {}", quantile, fraction);
    }

    #[test]
    fn both_parts_of_a_histogram_are_the_whole(histogram in any_custom(), limit in 0.0..20.0) {
        let (mut below, mut above) = (histogram.clone(), histogram.clone());
        below.keep_below(limit);
        above.keep_above(limit);
        let last = histogram.bounds.last().is_some_and(|bound| limit > *bound);
        prop_assert!(last || (below.count + above.count - histogram.count).abs() < 1e-6);
        prop_assert!(below.count <= histogram.count && above.count <= histogram.count);
    }
}
