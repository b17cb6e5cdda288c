//! Functions of histograms, native and classic.

use super::{ask, check, floats, histograms, told};
use query::promql::{Buckets, Histogram, Steps};

fn histogram() -> Histogram {
    let positive = Buckets { offset: 1, counts: vec![2.0, 2.0] };
    Histogram { count: 4.0, sum: 10.0, positive, ..Histogram::default() }
}

#[test]
fn parts_of_native_histograms() {
    let stored = [histograms("x", [histogram()]), floats("y", "1")];
    check(
        &stored,
        &[
            ("histogram_count(x)", "4"),
            ("histogram_sum(x)", "10"),
            ("histogram_avg(x)", "2.5"),
            ("histogram_stdvar(x)", "0.643398282"),
            ("histogram_stddev(x)", "0.802121114"),
            ("histogram_quantile(0.75, x)", "2.82842712"),
            ("histogram_fraction(1, 2, x)", "0.5"),
            ("histogram_count(y)", ""),
            (
                "histogram_quantiles(x, \"q\", 0.5, 1, 0.25)",
                "{q=\"0.25\"} 1.41421356; {q=\"0.5\"} 2; {q=\"1.0\"} 4",
            ),
        ],
    );
}

#[test]
fn parts_of_classic_histograms() {
    let stored = [
        floats("x_bucket{a=\"1\", le=\"1\"}", "5"),
        floats("x_bucket{a=\"1\", le=\"2.0\"}", "10"),
        floats("x_bucket{a=\"1\", le=\"+Inf\"}", "20"),
        floats("x_bucket{a=\"2\", le=\"1\"}", "5"),
        floats("endless_bucket{le=\"1\"}", "1"),
        floats("endless_bucket{le=\"2\"}", "1"),
    ];
    check(
        &stored,
        &[
            ("histogram_quantile(0.5, x_bucket)", "{a=\"1\"} 2; {a=\"2\"} NaN"),
            ("histogram_quantile(0.375, x_bucket{a=\"1\"})", "{a=\"1\"} 1.5"),
            ("histogram_quantile(scalar(vector(0.375)), sum by (le) (x_bucket{a=\"1\"}))", "1.5"),
            ("histogram_fraction(0, 1.5, x_bucket{a=\"1\"})", "{a=\"1\"} 0.375"),
            (
                "histogram_quantiles(x_bucket{a=\"1\"}, \"q\", 0, 0.375)",
                "{a=\"1\", q=\"0.0\"} 0; {a=\"1\", q=\"0.375\"} 1.5",
            ),
            ("histogram_quantile(0.5, endless_bucket)", "NaN"),
            ("histogram_quantile(0.5, none_bucket)", ""),
            (
                "histogram_quantile(1.5, x_bucket{a=\"1\"})",
                "{a=\"1\"} inf; PromQL warning: quantile value should be between 0 and 1, got 1.5 (1:20)",
            ),
        ],
    );
}

#[test]
fn counts_and_sums_need_no_buckets() {
    let grown = |count: f64| {
        let positive = Buckets { offset: 1, counts: vec![count] };
        Histogram { count, sum: 2.0 * count, positive, ..Histogram::default() }
    };
    let stored = [
        histograms("x_total{a=\"1\"}", [1.0, 3.0, 2.0, 4.0, 5.0].map(grown)),
        histograms("x_total{a=\"2\"}", [1.0, 2.0, 3.0, 4.0, 2.0].map(grown)),
    ];
    let warning = "PromQL warning: conflicting counter resets during histogram aggregation (1:21)";
    check(
        &stored,
        &[
            ("histogram_count(increase(x_total{a=\"1\"}[5m]))", "{a=\"1\"} 8"),
            ("histogram_sum(x_total{a=\"1\"})", "{a=\"1\"} 10"),
            ("histogram_count(sum(x_total))", &format!("7; {warning}")),
            (
                "histogram_count(sum(x_total)) * 0 + histogram_quantile(1, sum(x_total))",
                &format!("2; {warning}"),
            ),
            ("histogram_count(sum(x_total) </ 1)", "0"),
        ],
    );
}

#[test]
fn what_is_wrong_is_told() {
    let same = histogram();
    let no_number = Histogram { count: 8.0, sum: f64::NAN, ..histogram() };
    let stored = [
        floats("x_bucket", "5"),
        floats("y_bucket{le=\"one\"}", "5"),
        histograms("both", [same]),
        floats("both{le=\"+Inf\"}", "5"),
        histograms("odd", [no_number]),
    ];
    let prefix = "PromQL warning: bucket label \"le\" is missing or has a malformed value of";
    let info = "PromQL info: input to histogram";
    check(
        &stored,
        &[
            (
                "histogram_quantile(0.5, x_bucket)",
                &format!("{prefix} \"\" for metric name \"x_bucket\" (1:25)"),
            ),
            (
                "histogram_quantile(0.5, y_bucket)",
                &format!("{prefix} \"one\" for metric name \"y_bucket\" (1:25)"),
            ),
            (
                "histogram_quantile(0.5, both)",
                "PromQL warning: vector contains a mix of classic and native histograms for metric name \"both\" (1:25)",
            ),
            (
                "histogram_quantile(1, odd)",
                &format!(
                    "NaN; {info}_quantile has NaN observations, result is NaN for metric name \"odd\" (1:23)"
                ),
            ),
            (
                "histogram_quantile(0.25, odd)",
                &format!(
                    "2; {info}_quantile has NaN observations, result is skewed higher for metric name \"odd\" (1:26)"
                ),
            ),
            (
                "histogram_fraction(0, 9, odd)",
                &format!(
                    "0.5; {info}_fraction has NaN observations, which are excluded from all fractions for metric name \
                     \"odd\" (1:26)"
                ),
            ),
        ],
    );
}

#[test]
fn buckets_that_fall_are_mended_and_told_once() {
    let stored = [
        floats("x_bucket{le=\"1\"}", "5 5"),
        floats("x_bucket{le=\"2\"}", "3 4"),
        floats("x_bucket{le=\"+Inf\"}", "10 10"),
    ];
    let steps = Steps::Range { start: 0, end: 60_000, step: 60_000 };
    let answer = told(ask(&stored, "histogram_quantile(0.5, x_bucket)", steps).unwrap());
    let expected = "1 1; PromQL info: input to histogram_quantile needed to be fixed for monotonicity \
        (see https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile) \
        for metric name \"x_bucket\", from buckets 2 to 2, with a max diff of 2, over 2 samples \
        from 1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z (1:25)";
    assert_eq!(answer, expected);
}
