//! Functions of counters, histograms and what is said of them.

use super::{answer_at, check, floats, histograms};
use query::promql::{Buckets, Histogram, ResetHint};

/// With as many observations between one and two as between two and four.
fn histogram(count: f64) -> Histogram {
    let positive = Buckets { offset: 1, counts: vec![count / 2.0; 2] };
    Histogram { count, sum: count, positive, ..Histogram::default() }
}

fn gauge(count: f64) -> Histogram {
    Histogram { reset_hint: ResetHint::Gauge, ..histogram(count) }
}

#[test]
fn growth_is_carried_on_to_the_borders() {
    let stored = [
        floats("steady_total", "0 60 120 180 240"),
        floats("late_total", "_ _ 60 120 180"),
        floats("reset_total", "60 120 30 90 150"),
        floats("gauge", "240 180 120 60 0"),
        floats("one_total", "_ _ _ 1"),
        floats("not_counted", "0 60 120 180 240"),
    ];
    check(
        &stored,
        &[
            ("rate(steady_total[4m])", "1"),
            ("increase(steady_total[4m])", "240"),
            ("increase(steady_total[5m])", "240"),
            ("increase(late_total[10m])", "150"),
            ("increase(late_total[4m])", "150"),
            ("increase(reset_total[4m30s])", "236.25"),
            ("increase(steady_total[3m] offset 1m)", "180"),
            ("delta(gauge[4m])", "-240"),
            ("delta(gauge[10m])", "-270"),
            ("rate(one_total[5m])", ""),
            ("rate(none_total[5m])", ""),
            (
                "rate(not_counted[4m])",
                "1; PromQL info: metric might not be a counter, name does not end in \
                 _total/_sum/_count/_bucket: \"not_counted\" (1:6)",
            ),
        ],
    );
}

#[test]
fn growth_between_borders() {
    let stored = [floats("x_total", "0 60 120 30 90 150"), floats("late_total", "_ _ _ 10 20 30")];
    check(
        &stored,
        &[
            ("increase(x_total[90s] anchored)", "90"),
            ("increase(x_total[3m] anchored)", "150"),
            ("increase(x_total[3m30s] smoothed)", "180"),
            ("delta(x_total[30s] smoothed)", "30"),
            ("rate(x_total[1m] smoothed)", "1"),
            ("increase(late_total[3m] anchored)", "10"),
            ("increase(late_total[3m] smoothed)", "10"),
            ("resets(x_total[3m] anchored)", "1"),
            ("changes(x_total[1m] anchored)", "1"),
            ("changes(late_total[30s] offset 5m anchored)", ""),
        ],
    );
}

#[test]
fn the_last_two_samples() {
    let stored = [floats("x", "0 60 120 30 _"), floats("y", "1 _ _ 1 4"), floats("one", "_ _ _ _ 1")];
    check(
        &stored,
        &[
            ("irate(x[5m])", "0.5"),
            ("irate(y[5m])", "0.05"),
            ("idelta(x[5m])", "-90"),
            ("irate(one[5m])", ""),
            ("idelta(one[5m])", ""),
        ],
    );
}

#[test]
fn changes_and_resets() {
    let stored = [floats("x", "1 1 2 NaN NaN"), floats("y", "5 3 3 4 1")];
    check(
        &stored,
        &[
            ("changes(x[5m])", "2"),
            ("resets(x[5m])", "0"),
            ("changes(y[5m])", "3"),
            ("resets(y[5m])", "2"),
            ("resets(y[1m])", "0"),
            ("resets(none[5m])", ""),
        ],
    );
}

#[test]
fn histograms_grow() {
    let stored = [
        histograms("x", [0.0, 4.0, 8.0, 2.0, 6.0].map(histogram)),
        histograms("y", [6.0, 5.0, 4.0, 3.0, 2.0].map(gauge)),
    ];
    check(
        &stored,
        &[
            ("increase(x[5m])", "<14/14 1..2:7 2..4:7>"),
            ("rate(x[5m]) * 300", "<14/14 1..2:7 2..4:7>"),
            ("increase(x[4m] anchored)", "<14/14 1..2:7 2..4:7>"),
            ("increase(x[3m30s] smoothed)", "<12/12 1..2:6 2..4:6>"),
            ("irate(x[5m]) * 60", "<4/4 1..2:2 2..4:2>"),
            ("irate(x[5m] offset 1m) * 60", "<2/2 1..2:1 2..4:1>"),
            ("idelta(y[5m])", "<-1/-1 1..2:-0.5 2..4:-0.5>"),
            ("delta(y[4m])", "<-4/-4 1..2:-2 2..4:-2>"),
            ("delta(y[4m] anchored)", "<-4/-4 1..2:-2 2..4:-2>"),
            ("resets(x[5m])", "1"),
            ("changes(x[5m])", "4"),
        ],
    );
}

#[test]
fn counters_and_gauges_are_told_apart() {
    let stored = [histograms("x", [0.0, 4.0].map(histogram)), histograms("y", [1.0, 2.0].map(gauge))];
    for (query, expected) in [
        ("rate(y[5m])", "PromQL warning: this native histogram metric is not a counter: \"y\" (1:6)"),
        ("irate(y[5m])", "PromQL warning: this native histogram metric is not a counter: \"y\" (1:7)"),
        ("delta(x[5m])", "PromQL warning: this native histogram metric is not a gauge: \"x\" (1:7)"),
        ("idelta(x[5m])", "PromQL warning: this native histogram metric is not a gauge: \"x\" (1:8)"),
        (
            "rate(y[1m] anchored)",
            "PromQL warning: this native histogram metric is not a counter: \"y\" (1:6)",
        ),
        ("delta(x[1m] smoothed)", "PromQL warning: this native histogram metric is not a gauge: \"x\" (1:7)"),
    ] {
        let answer = answer_at(&stored, 1, query);
        assert!(answer.starts_with('<') && answer.ends_with(expected), "{query}: {answer}");
    }
}

#[test]
fn what_does_not_fit_is_left_out() {
    let custom = Histogram::with_custom_buckets([2.0].into(), vec![1.0, 9.0]).unwrap();
    let custom = Histogram { count: 10.0, ..custom };
    let narrow = Histogram {
        count: 20.0,
        ..Histogram::with_custom_buckets([2.0, 3.0].into(), vec![5.0, 5.0, 10.0]).unwrap()
    };
    let mut mixed = histograms("mixed", [histogram(1.0)]);
    mixed.points.extend(floats("mixed", "_ 1 3").points);
    let stored = [
        mixed,
        histograms("schemas", [histogram(1.0), custom.clone()]),
        histograms("bounds", [custom, narrow]),
    ];
    let mix = "PromQL warning: encountered a mix of histograms and floats for metric name \"mixed\" (1:7)";
    let schemas = "PromQL warning: vector contains a mix of histograms with exponential and custom buckets schemas \
                   for metric name \"schemas\" (1:7)";
    let bounds = "PromQL info: mismatched custom buckets were reconciled during subtraction (1:7)";
    for (query, expected) in [
        ("rate( mixed[5m])", mix),
        ("irate(mixed[5m] offset 3m)", mix),
        ("delta(mixed[5m] anchored)", mix),
        ("delta(schemas[5m])", schemas),
        ("rate( schemas[5m] smoothed)", schemas),
    ] {
        assert_eq!(answer_at(&stored, 4, query), expected, "{query}");
    }
    let answer = answer_at(&stored, 1, "irate(bounds[5m]) * 60");
    assert_eq!(answer, format!("<0/10 -inf..2:4 2..inf:6>; {bounds}"));
    assert_eq!(answer_at(&stored, 4, "changes(mixed[5m])"), "2");
    assert_eq!(answer_at(&stored, 4, "resets(mixed[5m])"), "1");
}
