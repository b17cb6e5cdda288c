//! What PromQL costs once the series are in memory: 1,000 series at 1,000 steps. Divided by a million, the time is that of
//! one series at one step.

use clew_engine::promql::{evaluate, selections};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use query::Deadline;
use query::promql::{Labels, Point, PromqlRequest, Series, Steps, parse};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

const SERIES: i64 = 1_000;
const STEPS: i64 = 1_000;
/// From sample to sample, and from step to step, in milliseconds.
const INTERVAL: i64 = 15_000;
/// The longest range that is asked for.
const RANGE: i64 = 300_000;
const BOUNDS: [&str; 10] = ["0.1", "0.2", "0.5", "1", "2", "5", "10", "20", "50", "+Inf"];

const QUERIES: [(&str, &str); 7] = [
    ("selector", "requests_total"),
    ("rate", "rate(requests_total[5m])"),
    ("sum", "sum by (job) (requests_total)"),
    ("quantile", "histogram_quantile(0.9, requests_bucket)"),
    ("match", "requests_total / on (instance) other_total"),
    ("top", "topk by (job) (5, requests_total)"),
    ("scalar", "requests_total * 2"),
];

/// A hundred instances with ten buckets each.
fn labels(name: &str, number: i64) -> Labels {
    let (instance, bucket) = (number / 10, usize::try_from(number % 10).unwrap_or_default());
    let bound = BOUNDS.get(bucket).copied().unwrap_or("+Inf");
    let (le, own) = if name == "requests_bucket" { (bound, instance) } else { ("", number) };
    let (job, own) = (format!("job-{}", number % 7), format!("instance-{own}"));
    let job = if le.is_empty() { job } else { "job".to_owned() };
    Labels::new([("__name__", name), ("instance", &own), ("job", &job), ("le", le)])
}

fn series(name: &str) -> Vec<Series> {
    let samples = STEPS + RANGE / INTERVAL;
    let one = |number: i64| {
        let slope = (number % 10 + 1) as f64;
        let point = |index: i64| Point::from((index * INTERVAL, index as f64 * slope));
        Series { labels: labels(name, number), points: (0..samples).map(point).collect() }
    };
    let mut series: Vec<Series> = (0..SERIES).map(one).collect();
    series.sort_by(|one, other| one.labels.cmp(&other.labels));
    series
}

fn request(text: &str) -> PromqlRequest {
    let end = RANGE + (STEPS - 1) * INTERVAL;
    PromqlRequest {
        text: text.to_owned(),
        expression: parse(text).expect("the query can be read"),
        steps: Steps::Range { start: RANGE, end, step: INTERVAL },
        lookback: 300_000,
        deadline: Deadline(Duration::from_mins(1)),
    }
}

fn promql(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("promql");
    group.sample_size(10).throughput(Throughput::Elements((SERIES * STEPS).unsigned_abs()));
    for (name, text) in QUERIES {
        let request = request(text);
        let selections = selections(&request).expect("the query can be made ready");
        let metric = |matchers: &[query::promql::Matcher]| {
            matchers
                .iter()
                .find(|matcher| matcher.name == "__name__")
                .map_or("", |matcher| &matcher.value)
                .to_owned()
        };
        let loaded: Vec<_> =
            selections.iter().map(|selection| Arc::new(series(&metric(&selection.matchers)))).collect();
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            bencher
                .iter(|| evaluate(black_box(&request), &loaded, &|| false).expect("the query is computed"));
        });
    }
    group.finish();
}

criterion_group!(benches, promql);
criterion_main!(benches);
