//! Functions of samples over time.

use super::{check, floats, histograms};
use query::promql::{Buckets, Histogram, ResetHint};

const MIXED: &str =
    "PromQL info: ignored histograms in a range containing both floats and histograms for metric name";

fn histogram(count: f64) -> Histogram {
    let positive = Buckets { offset: 1, counts: vec![count] };
    Histogram { count, sum: count, positive, ..Histogram::default() }
}

#[test]
fn one_value_for_all_samples() {
    let stored = [floats("x", "7 4 1 NaN 9"), floats("y", "7 4 _ 1 4")];
    check(
        &stored,
        &[
            ("avg_over_time(y[5m])", "4"),
            ("count_over_time(y[5m])", "4"),
            ("present_over_time(y[5m])", "1"),
            ("sum_over_time(y[5m])", "16"),
            ("sum_over_time(x[5m])", "NaN"),
            ("max_over_time(x[5m])", "9"),
            ("min_over_time(x[5m])", "1"),
            ("min_over_time(x[90s])", "9"),
            ("first_over_time(y[5m])", "{__name__=\"y\"} 7"),
            ("last_over_time(y[5m] offset 1m)", "{__name__=\"y\"} 1"),
            ("ts_of_first_over_time(y[5m])", "0"),
            ("ts_of_last_over_time(y[5m] offset 1m)", "180"),
            ("ts_of_max_over_time(y[5m])", "0"),
            ("ts_of_min_over_time(y[5m])", "180"),
            ("ts_of_min_over_time(y[5m] offset 2m)", "60"),
            ("stdvar_over_time(y[5m])", "4.5"),
            ("stddev_over_time(y[5m])", "2.12132034"),
            ("mad_over_time(y[5m])", "1.5"),
            ("mad_over_time(x[5m])", "NaN"),
            ("quantile_over_time(0.5, y[5m])", "4"),
            ("quantile_over_time(0.9, y[5m])", "6.1"),
            ("quantile_over_time(0, x[5m])", "NaN"),
            ("quantile_over_time(1, x[5m])", "9"),
            (
                "quantile_over_time(2, y[5m])",
                "inf; PromQL warning: quantile value should be between 0 and 1, got 2 (1:20)",
            ),
            (
                "quantile_over_time(-0.5, y[5m])",
                "-inf; PromQL warning: quantile value should be between 0 and 1, got -0.5 (1:20)",
            ),
            ("sum_over_time(none[5m])", ""),
        ],
    );
}

#[test]
fn sums_do_not_lose_what_is_small() {
    let stored = [
        floats("x", "1e100 1 -1e100 1"),
        floats("large", "1.7e308 1.7e308 1.7e308"),
        floats("infinite", "Inf 1 Inf"),
        floats("both", "Inf -Inf"),
    ];
    check(
        &stored,
        &[
            ("sum_over_time(x[5m])", "2"),
            ("avg_over_time(x[5m])", "0.5"),
            ("sum_over_time(large[5m])", "inf"),
            ("avg_over_time(large[5m]) / 1.7e308", "1"),
            ("sum_over_time(infinite[5m])", "inf"),
            ("avg_over_time(infinite[5m])", "inf"),
            ("avg_over_time(both[5m])", "NaN"),
        ],
    );
}

#[test]
fn histograms_are_added_and_counted() {
    let stored = [histograms("x", [1.0, 2.0, 6.0].map(histogram))];
    check(
        &stored,
        &[
            ("sum_over_time(x[5m])", "<9/9 1..2:9>"),
            ("avg_over_time(x[5m])", "<3/3 1..2:3>"),
            ("count_over_time(x[5m])", "3"),
            ("first_over_time(x[5m])", "{__name__=\"x\"} <1/1 1..2:1>"),
            ("last_over_time(x[5m])", "{__name__=\"x\"} <6/6 1..2:6>"),
            ("ts_of_last_over_time(x[5m])", "120"),
            ("max_over_time(x[5m])", ""),
            ("quantile_over_time(7, x[5m])", ""),
            ("stddev_over_time(x[5m])", ""),
            ("deriv(x[5m])", ""),
        ],
    );
}

#[test]
fn large_histograms_have_a_mean() {
    let stored = [histograms("x", [1.2e308; 3].map(histogram))];
    check(&stored, &[("histogram_sum(avg_over_time(x[5m])) / 1.2e308", "1")]);
}

#[test]
fn what_does_not_fit_is_told() {
    let mut mixed = histograms("x", [histogram(1.0)]);
    mixed.points.extend(floats("x", "_ 1 3").points);
    let custom = |bounds: &[f64], counts: &[f64]| {
        let count = counts.iter().sum();
        Histogram { count, ..Histogram::with_custom_buckets(bounds.into(), counts.to_vec()).unwrap() }
    };
    let own = custom(&[2.0], &[1.0, 1.0]);
    let other = custom(&[2.0, 3.0], &[1.0, 1.0, 1.0]);
    let hinted = |reset_hint| Histogram { reset_hint, ..histogram(1.0) };
    let stored = [
        mixed,
        histograms("schemas", [histogram(1.0), own.clone()]),
        histograms("bounds", [own, other]),
        histograms("hints", [hinted(ResetHint::Reset), hinted(ResetHint::NotReset)]),
    ];
    let left_out = |result: &str| format!("{result}{MIXED} \"x\" (1:20)");
    let mix = "PromQL warning: encountered a mix of histograms and floats for metric name \"x\" (1:15)";
    let schemas = "PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas \
                   for metric name \"schemas\" (1:15)";
    let bounds = "<0/5 -inf..2:2 2..inf:3>; \
                  PromQL info: mismatched custom buckets were reconciled during aggregation (1:15)";
    let hints =
        "<2/2 1..2:2>; PromQL warning: conflicting counter resets during histogram aggregation (1:15)";
    check(
        &stored,
        &[
            ("sum_over_time(x[5m])", mix),
            ("avg_over_time(x[5m])", mix),
            ("max_over_time(     x[5m])", &left_out("3; ")),
            ("quantile_over_time(1,x[5m])", &left_out("3; ")),
            ("stddev_over_time(  x[5m])", &left_out("1; ")),
            ("deriv(             x[5m])", &left_out("0.0333333333; ")),
            ("deriv(             x[5m] offset 3m)", &left_out("")),
            ("sum_over_time(schemas[5m])", schemas),
            ("avg_over_time(schemas[5m])", schemas),
            ("sum_over_time(bounds[5m])", bounds),
            ("sum_over_time(hints[5m])", hints),
        ],
    );
}

#[test]
fn presence() {
    let stored = [floats("x{a=\"1\"}", "1 1 1 1 stale")];
    check(
        &stored,
        &[
            ("absent(x)", "1"),
            ("absent(x offset 1m)", ""),
            ("absent(y{a=\"1\", b!=\"2\", c=\"3\", c=\"4\"})", "{a=\"1\"} 1"),
            ("absent(sum(y))", "1"),
            ("absent_over_time(x[5m])", ""),
            ("absent_over_time(x{b=\"2\"}[5m])", "{b=\"2\"} 1"),
            ("present_over_time(x[5m])", "{a=\"1\"} 1"),
        ],
    );
}

#[test]
fn trends() {
    let stored = [
        floats("x", "0 60 120 180 240"),
        floats("flat", "5 5 5 5 5"),
        floats("one", "1"),
        floats("y", "1 3 2 5 4"),
        floats("endless", "Inf Inf"),
    ];
    check(
        &stored,
        &[
            ("deriv(x[5m])", "1"),
            ("deriv(flat[5m])", "0"),
            ("deriv(endless[5m])", "NaN"),
            ("deriv(one[5m])", ""),
            ("deriv(y[5m])", "0.0133333333"),
            ("predict_linear(x[5m], 60)", "300"),
            ("predict_linear(x[5m] offset 1m, 60)", "300"),
            ("predict_linear(flat[5m], 60)", "5"),
            ("predict_linear(y[5m], 0)", "4.6"),
            ("double_exponential_smoothing(y[5m], 0.5, 0.5)", "5.09375"),
            ("double_exponential_smoothing(one[5m], 0.5, 0.5)", ""),
            (
                "double_exponential_smoothing(y[5m], 1, 0.5)",
                "error: invalid smoothing factor. Expected: 0 < sf < 1, got: 1.000000",
            ),
            (
                "double_exponential_smoothing(y[5m], 0.5, 0)",
                "error: invalid trend factor. Expected: 0 < tf < 1, got: 0.000000",
            ),
        ],
    );
}
