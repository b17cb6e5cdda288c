//! Cases of what the evaluator alone decides: matching, aggregating, windows, limits and what must be loaded.

use super::labels::text;
use super::{evaluate, selections};
use query::promql::{
    Answer, Expression, Labels, Node, Point, PromqlRequest, Sample, Series, Steps, Value, parse,
};
use query::{Deadline, Error};
use std::sync::Arc;
use std::time::Duration;

const MINUTE: i64 = 60_000;

fn request(query: &str, steps: Steps) -> PromqlRequest {
    let expression = parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
    let deadline = Deadline(Duration::from_secs(10));
    PromqlRequest { text: query.to_owned(), expression, steps, lookback: 5 * MINUTE, deadline }
}

/// A sample each minute, from the epoch on; a NaN is a staleness marker.
fn series(labels: &[(&str, &str)], values: &[f64]) -> Series {
    let stale = f64::from_bits(Sample::STALE);
    let point = |(minute, value): (i64, &f64)| {
        Point::from((minute * MINUTE, if value.is_nan() { stale } else { *value }))
    };
    Series { labels: Labels::new(labels.to_vec()), points: (0..).zip(values).map(point).collect() }
}

fn world() -> Vec<Series> {
    let one = |name, job, instance, values: &[f64]| {
        series(&[("__name__", name), ("job", job), ("instance", instance)], values)
    };
    vec![
        one("errors", "api", "a", &[1.0, 2.0, 3.0, 4.0, 5.0]),
        one("errors", "web", "c", &[0.0; 5]),
        one("owner", "api", "", &[1.0; 5]),
        one("requests", "api", "a", &[10.0, 20.0, 30.0, 40.0, 50.0]),
        one("requests", "api", "b", &[0.0, 60.0, 120.0, f64::NAN]),
        one("requests", "web", "c", &[7.0, 7.0, 7.0, 7.0, 7.0]),
    ]
}

fn loaded(request: &PromqlRequest, world: &[Series]) -> Result<Vec<Arc<Vec<Series>>>, Error> {
    let of = |selection: &query::promql::Selection| {
        let matchers: Vec<_> =
            selection.matchers.iter().map(|matcher| (&matcher.name, matcher.compile().unwrap())).collect();
        let chosen = world
            .iter()
            .filter(|series| matchers.iter().all(|(name, test)| test.matches(series.labels.get(name))));
        let cut = |series: &Series| {
            let mut series = series.clone();
            series.points.retain(|point| selection.from <= point.time && point.time <= selection.to);
            series
        };
        Arc::new(chosen.map(cut).collect())
    };
    Ok(selections(request)?.iter().map(of).collect())
}

fn ask(query: &str, steps: Steps) -> Result<Answer, Error> {
    let request = request(query, steps);
    evaluate(&request, &loaded(&request, &world())?, &|| false)
}

fn written(sample: &Sample) -> String {
    match sample {
        Sample::Float(value) => value.to_string(),
        Sample::Histogram(histogram) => format!("{histogram:?}"),
    }
}

/// `{labels} value` for each element, and `value@minute` for each point.
fn shown(value: &Value) -> String {
    match value {
        Value::Scalar(_, value) => value.to_string(),
        Value::String(_, text) => text.clone(),
        Value::Vector(_, elements) => {
            let element =
                |(labels, sample): &(Labels, Sample)| format!("{} {}", text(labels), written(sample));
            elements.iter().map(element).collect::<Vec<_>>().join("; ")
        }
        Value::Matrix(series) => {
            let point =
                |point: &Point| format!(" {}@{}", written(&point.sample), point.time as f64 / 60_000.0);
            let one =
                |series: &Series| text(&series.labels) + &series.points.iter().map(point).collect::<String>();
            series.iter().map(one).collect::<Vec<_>>().join("; ")
        }
    }
}

fn check(steps: Steps, cases: &[(&str, &str)]) {
    for (query, expected) in cases {
        let answer = ask(query, steps).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(shown(&answer.value), *expected, "{query}");
    }
}

#[test]
fn instant_queries() {
    check(
        Steps::Instant(4 * MINUTE),
        &[
            (
                "requests",
                r#"{__name__="requests", instance="a", job="api"} 50; {__name__="requests", instance="c", job="web"} 7"#,
            ),
            (
                "requests @ 120 offset 1m",
                r#"{__name__="requests", instance="a", job="api"} 20; {__name__="requests", instance="b", job="api"} 60; {__name__="requests", instance="c", job="web"} 7"#,
            ),
            ("-requests{job=\"web\"}", r#"{instance="c", job="web"} -7"#),
            ("2 ^ 3 ^ 2 - 1", "511"),
            ("1 < bool 2", "1"),
            ("\"text\"", "text"),
            (
                "requests / ignoring () errors",
                r#"{instance="a", job="api"} 10; {instance="c", job="web"} inf"#,
            ),
            ("requests > 10", r#"{__name__="requests", instance="a", job="api"} 50"#),
            ("10 < bool requests", r#"{instance="a", job="api"} 1; {instance="c", job="web"} 0"#),
            ("errors * on (job) group_left () owner", r#"{instance="a", job="api"} 5"#),
            ("owner * on (job) group_right () errors", r#"{instance="a", job="api"} 5"#),
            ("errors + on (job) fill_right (100) owner", r#"{job="api"} 6; {job="web"} 100"#),
            ("requests and on (job) owner", r#"{__name__="requests", instance="a", job="api"} 50"#),
            ("requests unless on (job) owner", r#"{__name__="requests", instance="c", job="web"} 7"#),
            (
                "owner or on (job) requests",
                r#"{__name__="owner", job="api"} 1; {__name__="requests", instance="c", job="web"} 7"#,
            ),
            ("sum by (job) (requests offset 2m)", r#"{job="api"} 150; {job="web"} 7"#),
            ("avg without (instance) (requests)", r#"{job="api"} 50; {job="web"} 7"#),
            ("topk(1, requests)", r#"{__name__="requests", instance="a", job="api"} 50"#),
            (
                "bottomk(2, requests)",
                r#"{__name__="requests", instance="c", job="web"} 7; {__name__="requests", instance="a", job="api"} 50"#,
            ),
            ("count_values(\"value\", owner)", r#"{value="1"} 1"#),
            ("quantile(0.5, requests)", "{} 28.5"),
            ("stddev(requests)", "{} 21.5"),
            ("limitk(1, requests)", r#"{__name__="requests", instance="a", job="api"} 50"#),
            ("count(limit_ratio(0.3, requests) or limit_ratio(-0.7, requests))", "{} 2"),
            ("requests{instance=\"b\"}[2m] @ 180", r#"{__name__="requests", instance="b", job="api"} 120@2"#),
            ("max_over_time(requests{instance=\"a\"}[2m:1m])", r#"{instance="a", job="api"} 50"#),
            ("errors{job=\"api\"}[2m:90s]", r#"{__name__="errors", instance="a", job="api"} 4@3"#),
            ("sum_over_time(vector(1)[3m:1m])", "{} 3"),
            ("scalar(owner) + time()", "241"),
            ("absent_over_time(nothing{job=\"x\"}[1m])", r#"{job="x"} 1"#),
            (
                "timestamp(errors offset 1m)",
                r#"{instance="a", job="api"} 180; {instance="c", job="web"} 180"#,
            ),
        ],
    );
}

#[test]
fn range_queries() {
    check(
        Steps::Range { start: 0, end: 4 * MINUTE, step: 2 * MINUTE },
        &[
            ("requests{instance=\"b\"}", r#"{__name__="requests", instance="b", job="api"} 0@0 120@2"#),
            ("1", "{} 1@0 1@2 1@4"),
            ("owner @ end()", r#"{__name__="owner", job="api"} 1@0 1@2 1@4"#),
            (
                "topk(1, requests)",
                r#"{__name__="requests", instance="a", job="api"} 10@0 50@4; {__name__="requests", instance="b", job="api"} 120@2"#,
            ),
            ("increase(requests{instance=\"a\"}[2m])", r#"{instance="a", job="api"} 20@2 20@4"#),
            ("count(requests > errors * 11)", "{} 1@0 1@2 1@4"),
            ("sum_over_time(errors{job=\"api\"}[3m:1m])", r#"{instance="a", job="api"} 1@0 6@2 12@4"#),
            (
                "last_over_time(requests{instance=\"b\"}[1m]) or requests{instance=\"a\"} - 1",
                r#"{__name__="requests", instance="b", job="api"} 0@0 120@2; {instance="a", job="api"} 9@0 29@2 49@4"#,
            ),
            ("max_over_time(errors{job=\"api\"}[range()])", r#"{instance="a", job="api"} 1@0 3@2 5@4"#),
        ],
    );
}

#[test]
fn what_cannot_be_computed_says_why() {
    let range = |end| Steps::Range { start: 0, end, step: 1 };
    let (now, long) = (Steps::Instant(4 * MINUTE), range(11_001));
    let cases = [
        (
            "requests * on (job) errors",
            Steps::Instant(2 * MINUTE),
            "multiple matches for labels: many-to-one matching must be explicit",
        ),
        (
            "errors * on (job) requests",
            Steps::Instant(2 * MINUTE),
            "found duplicate series for the match group {job=\"api\"} on the right hand-side",
        ),
        (
            "requests * on (job) group_left (instance) owner",
            Steps::Instant(2 * MINUTE),
            "grouping labels must ensure unique matches",
        ),
        (
            "sum_over_time({__name__=~\"requests|errors\"}[1m])",
            now,
            "vector cannot contain metrics with the same labelset",
        ),
        ("topk(NaN, requests)", now, "Parameter value is NaN"),
        ("topk(1e30, requests)", now, "Scalar value 1e+30 overflows int64"),
        ("count_values(\"\", requests)", now, "invalid label name"),
        (
            "max_over_time(requests[5m] smoothed)",
            now,
            "smoothed modifier can only be used with: delta, increase, rate - not with max_over_time",
        ),
        (
            "sum_over_time(requests[1d:1ms])",
            long,
            "exceeded maximum resolution of 11,000 points per timeseries",
        ),
        ("sum_over_time(vector(1)[10d:1ms])", now, "too many samples"),
        ("requests[step()]", now, "duration must be greater than 0"),
        ("requests[5m]", range(0), "invalid expression type \"range vector\" for range query"),
    ];
    for (query, steps, expected) in cases {
        let error = ask(query, steps).expect_err(query).to_string();
        assert!(error.contains(expected), "{query}: {error}");
    }
}

#[test]
fn long_queries_have_a_bound() {
    let signed = |signs: usize| {
        let mut request = request("1", Steps::Instant(0));
        for _ in 0..signs {
            let (place, operand) = (request.expression.place.clone(), Box::new(request.expression));
            request.expression = Expression { node: Node::Sign { negative: true, operand }, place };
        }
        evaluate(&request, &[], &|| false)
    };
    assert_eq!(shown(&signed(240).unwrap().value), "1");
    let error = signed(260).expect_err("too deep").to_string();
    assert!(error.contains("too deep"), "{error}");
    let forms = [("sum(", ")"), ("abs(", ")"), ("1 + (", ")"), ("max_over_time(", "[1m:1m])"), ("-", "")];
    for (before, after) in forms {
        let query = before.repeat(95) + "vector(1)" + &after.repeat(95);
        assert!(ask(&query, Steps::Instant(0)).is_ok(), "{query}");
    }
}

#[test]
fn times_that_are_far_away_are_no_trouble() {
    let queries = [
        "requests @ 900000000000000",
        "rate(requests[100y] @ -900000000000000)",
        "increase(requests[290y] offset -290y)",
        "delta(requests[5m] smoothed) + predict_linear(requests[1m] offset 290y, 1e300)",
        "max_over_time(requests[290y:200y] offset 290y @ -900000000000000)",
        "info(requests offset 290y)",
        "max_over_time(info(requests offset 290y)[5m:1m] offset 290y)",
        "year(vector(1e300)) + days_in_month(vector(-1e300))",
        "requests offset 1e9",
    ];
    let far = Steps::Range { start: i64::MIN, end: i64::MAX, step: i64::MAX / 2 };
    for query in queries {
        for steps in [Steps::Instant(MINUTE), Steps::Instant(i64::MIN), Steps::Instant(i64::MAX), far] {
            let request = request(query, steps);
            if let Ok(loaded) = loaded(&request, &world()) {
                drop(evaluate(&request, &loaded, &|| false));
            }
        }
    }
}

#[test]
fn an_interrupted_query_ends() {
    let request = request("sum(requests)", Steps::Instant(0));
    let ended = evaluate(&request, &loaded(&request, &world()).unwrap(), &|| true);
    assert!(matches!(ended, Err(Error::DeadlineExceeded { seconds: 10 })), "{ended:?}");
}

#[test]
fn one_series_alone_can_be_interrupted() {
    let steps = Steps::Range { start: 0, end: 1_000 * MINUTE, step: MINUTE };
    let request = request("quantile_over_time(0.5, vector(time())[1h:1m])", steps);
    let asked = std::cell::Cell::new(0);
    let ended = evaluate(&request, &[], &|| asked.replace(asked.get() + 1) > 500);
    assert!(matches!(ended, Err(Error::DeadlineExceeded { .. })), "asked {} times", asked.get());
}

#[test]
fn values_of_labels_do_not_grow_without_bound() {
    let join = "label_join(".repeat(30) + "vector(1)" + &", \"a\", \"x\", \"a\", \"a\")".repeat(30);
    let replaced =
        r#"label_replace("#.repeat(10) + "vector(1)" + &r#", "a", "xx$1$1$1$1", "a", "(.*)")"#.repeat(10);
    for query in [join, replaced] {
        let error = ask(&query, Steps::Instant(0)).expect_err("too long").to_string();
        assert!(error.contains("more than 65536 bytes"), "{error}");
    }
}

#[test]
fn notes_have_their_places() {
    let answer = ask("quantile(2, requests) or\n  rate(owner[5m])", Steps::Instant(4 * MINUTE)).unwrap();
    assert_eq!(answer.warnings, ["PromQL warning: quantile value should be between 0 and 1, got 2 (1:10)"]);
    let info = "PromQL info: metric might not be a counter, name does not end in _total/_sum/_count/_bucket: \"owner\" (2:8)";
    assert_eq!(answer.infos, [info]);
}

#[test]
fn what_must_be_loaded() {
    let steps = Steps::Range { start: 10 * MINUTE, end: 21 * MINUTE, step: 2 * MINUTE };
    // In minutes, without what is open at the beginning.
    let cases: [(&str, &[(i64, i64)]); 8] = [
        ("a", &[(5, 20)]),
        ("a offset 1m + b @ 60", &[(4, 19), (-4, 1)]),
        ("rate(a[3m] offset -1m)", &[(8, 21)]),
        ("rate(a[3m] anchored) + rate(b[3m] smoothed)", &[(2, 20), (2, 25)]),
        ("max_over_time(rate(a[3m])[4m:1m] offset 1m)", &[(2, 19)]),
        ("max_over_time(a[4m:1m] @ end())", &[(12, 21)]),
        ("info(a offset 2m)", &[(3, 18), (3, 18)]),
        ("1 + time()", &[]),
    ];
    for (query, expected) in cases {
        let found: Vec<(i64, i64)> = selections(&request(query, steps))
            .unwrap()
            .iter()
            .map(|selection| ((selection.from - 1) / MINUTE, selection.to / MINUTE))
            .collect();
        assert_eq!(found, expected, "{query}");
    }
}
