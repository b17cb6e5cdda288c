//! Data points as Prometheus' series, whether they are hot, sealed or both.

use super::Fixture;
use crate::scan::Scanner;
use crate::series::{self, Stored};
use model::batch::Encoding;
use model::{Signal, TenantId, otlp};
use query::promql::{
    Labels, Matcher, MatcherOperator, PromqlRequest, Sample, Selection, Series, SeriesRequest, Steps, Value,
    parse,
};
use query::{Deadline, Error};
use serde_json::{Value as Json, json};

/// Milliseconds, and their nanoseconds as OTLP's JSON has them.
fn at(milliseconds: u64) -> String {
    format!("{milliseconds}000000")
}

fn attributes(pairs: &[(&str, &str)]) -> Json {
    pairs.iter().map(|(key, value)| json!({"key": key, "value": {"stringValue": value}})).collect()
}

/// A request with one metric of one resource and scope.
fn request(resource: &[(&str, &str)], scope: &str, metric: &Json) -> Json {
    json!({"resourceMetrics": [{
        "resource": {"attributes": attributes(resource)},
        "scopeMetrics": [{"scope": {"name": scope}, "metrics": [metric]}],
    }]})
}

/// A sum with points of `(time, value)` that began at zero.
fn sum(name: &str, temporality: u8, points: &[(u64, u64, i64)]) -> Json {
    let point = |(start, time, value): &(u64, u64, i64)| {
        json!({"startTimeUnixNano": at(*start), "timeUnixNano": at(*time), "asInt": value.to_string(),
            "attributes": attributes(&[("status", "ok")])})
    };
    let points: Vec<Json> = points.iter().map(point).collect();
    json!({"name": name, "sum": {"aggregationTemporality": temporality, "isMonotonic": true, "dataPoints": points}})
}

const SERVICE: [(&str, &str); 2] = [("service.name", "shop"), ("service.instance.id", "one")];

impl Fixture {
    async fn send_json(&self, request: &Json) {
        let wire = otlp::from_json(Signal::Metrics, request.to_string().as_bytes()).unwrap();
        let batch =
            otlp::decode(TenantId::default(), Signal::Metrics, Encoding::Protobuf, wire.into()).unwrap();
        assert_eq!(batch.rejected.count, 0);
        self.storage.append(batch).await.unwrap();
    }

    async fn load(&self, matchers: &[(&str, MatcherOperator, &str)], (from, to): (i64, i64)) -> Vec<Series> {
        let snapshot = self.storage.snapshot(&TenantId::default(), Signal::Metrics);
        let selection = Selection { matchers: self::matchers(matchers), from, to };
        let mut left = 1_000;
        let (scanner, question) = (Scanner::new().unwrap(), super::question().await);
        let stored = Stored { scanner: &scanner, question: &question, snapshot: &snapshot };
        series::load(stored, &selection, &mut left).await.unwrap()
    }

    /// The series of this name as text.
    async fn named(&self, name: &str) -> Vec<String> {
        shown(&self.load(&[("__name__", MatcherOperator::Equal, name)], (0, 1_000_000)).await)
    }
}

fn matchers(matchers: &[(&str, MatcherOperator, &str)]) -> Vec<Matcher> {
    let matcher = |(name, operator, value): &(&str, MatcherOperator, &str)| Matcher {
        name: (*name).to_owned(),
        operator: *operator,
        value: (*value).to_owned(),
    };
    matchers.iter().map(matcher).collect()
}

/// As Prometheus shows labels, without those that say where the points come from.
fn labels(labels: &Labels) -> String {
    let hidden = ["__name__", "job", "instance", "service_name", "service_instance_id"];
    let pairs: Vec<String> = labels
        .iter()
        .filter(|(name, _)| !hidden.contains(&name.as_ref()))
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{}{{{}}}", labels.get("__name__"), pairs.join(","))
}

fn shown(series: &[Series]) -> Vec<String> {
    let sample = |sample: &Sample| match sample {
        Sample::Float(value) if value.to_bits() == Sample::STALE => "stale".to_owned(),
        Sample::Float(value) => value.to_string(),
        Sample::Histogram(histogram) => {
            format!("[{} {} {:?}]", histogram.count, histogram.sum, histogram.positive.counts)
        }
    };
    let one = |series: &Series| {
        let points: Vec<String> =
            series.points.iter().map(|point| format!("{}@{}", sample(&point.sample), point.time)).collect();
        format!("{} {}", labels(&series.labels), points.join(" "))
    };
    series.iter().map(one).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_counter_is_found_by_either_name_whether_sealed_or_not() {
    let fixture = Fixture::new().await;
    fixture
        .send_json(&request(&SERVICE, "s", &sum("myapp.requests.total", 2, &[(1, 10, 1), (1, 20, 2)])))
        .await;
    fixture.storage.seal().await.unwrap();
    // The second one was sent again.
    fixture
        .send_json(&request(&SERVICE, "s", &sum("myapp.requests.total", 2, &[(1, 20, 2), (1, 30, 3)])))
        .await;
    let expect = "{status=ok} 0@1 1@10 2@20 3@30";
    for name in ["myapp_requests_total", "myapp.requests.total"] {
        assert_eq!(fixture.named(name).await, [format!("{name}{expect}")]);
    }
    assert!(fixture.named("myapp_requests").await.is_empty());
    let found = fixture.load(&[("__name__", MatcherOperator::Matches, "myapp.*")], (15, 20)).await;
    assert_eq!(shown(&found), ["myapp_requests_total{status=ok} 2@20"]);
    let found =
        fixture.load(&[("__name__", MatcherOperator::NotEqual, "myapp_requests_total")], (0, 99)).await;
    assert!(found.is_empty(), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_are_those_of_point_and_resource() {
    let fixture = Fixture::new().await;
    let resource = [("service.name", "shop"), ("service.namespace", "eu"), ("process.pid", "7")];
    fixture.send_json(&request(&resource, "s", &sum("requests", 2, &[(1, 10, 1)]))).await;
    let all = |label, operator, value| {
        let fixture = &fixture;
        async move {
            fixture.load(&[("status", MatcherOperator::Equal, "ok"), (label, operator, value)], (0, 99)).await
        }
    };
    let found = all("job", MatcherOperator::Equal, "eu/shop").await;
    let expect = "__name__=requests_total job=eu/shop service_name=shop service_namespace=eu status=ok";
    let pairs = |series: &Series| {
        let pairs: Vec<String> =
            series.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join(" ")
    };
    assert_eq!(found.iter().map(pairs).collect::<Vec<_>>(), [expect]);
    assert_eq!(all("service_name", MatcherOperator::Equal, "shop").await.len(), 1);
    assert_eq!(all("service_name", MatcherOperator::Equal, "other").await.len(), 0);
    assert_eq!(all("service_name", MatcherOperator::NotEqual, "shop").await.len(), 0);
    assert_eq!(all("job", MatcherOperator::Equal, "shop").await.len(), 0);
    // Another attribute of the resource is a label when it is asked for; so is a name of OTLP.
    let found = all("process_pid", MatcherOperator::Equal, "7").await;
    assert_eq!(found.iter().map(|series| series.labels.get("process_pid")).collect::<Vec<_>>(), ["7"]);
    assert_eq!(all("service.namespace", MatcherOperator::Equal, "eu").await.len(), 1);
    assert_eq!(all("service.namespace", MatcherOperator::Equal, "us").await.len(), 0);
    let targets = fixture.named("target_info").await;
    assert_eq!(targets, ["target_info{process_pid=7} 1@10"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_histogram_becomes_buckets_sum_and_count() {
    let fixture = Fixture::new().await;
    let point = |time: u64, counts: [u64; 3], flags: u32| {
        json!({"timeUnixNano": at(time), "count": counts.iter().sum::<u64>().to_string(), "sum": 2.5, "flags": flags,
            "bucketCounts": counts.map(|count| count.to_string()), "explicitBounds": [0.5, 10]})
    };
    let points = [point(10, [1, 2, 3], 0), point(20, [1, 3, 3], 0), point(30, [0, 0, 0], 1)];
    let metric = json!({"name": "chat.duration", "unit": "s",
        "histogram": {"aggregationTemporality": 2, "dataPoints": points}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    assert_eq!(
        fixture.named("chat_duration_seconds_bucket").await,
        [
            "chat_duration_seconds_bucket{le=+Inf} 6@10 7@20 stale@30",
            "chat_duration_seconds_bucket{le=0.5} 1@10 1@20 stale@30",
            "chat_duration_seconds_bucket{le=10} 3@10 4@20 stale@30",
        ]
    );
    assert_eq!(
        fixture.named("chat_duration_seconds_sum").await,
        ["chat_duration_seconds_sum{} 2.5@10 2.5@20 stale@30"]
    );
    assert_eq!(fixture.named("chat.duration_count").await, ["chat.duration_count{} 6@10 7@20 stale@30"]);
    assert!(fixture.named("chat_duration_seconds").await.is_empty());
    let late = [("__name__", MatcherOperator::Matches, "chat.+"), ("le", MatcherOperator::Equal, "10")];
    assert_eq!(fixture.load(&late, (0, 10)).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn deltas_become_totals() {
    let fixture = Fixture::new().await;
    fixture.send_json(&request(&SERVICE, "s", &sum("hits", 1, &[(20, 30, 2), (10, 20, 1)]))).await;
    fixture.send_json(&request(&SERVICE, "s", &sum("hits", 1, &[(20, 30, 2), (90, 95, 4)]))).await;
    assert_eq!(fixture.named("hits_total").await, ["hits_total{status=ok} 0@10 1@20 3@30 3@90 7@95"]);
    let point = |start: u64, time: u64, scale: i32, offset: i32| {
        json!({"startTimeUnixNano": at(start), "timeUnixNano": at(time), "count": "4", "sum": 1.5, "scale": scale,
            "zeroCount": "1", "positive": {"offset": offset, "bucketCounts": ["1", "2"]}})
    };
    let metric = json!({"name": "latency", "exponentialHistogram":
        {"aggregationTemporality": 1, "dataPoints": [point(10, 20, 1, 0), point(20, 30, 0, 0)]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    assert_eq!(
        fixture.named("latency").await,
        ["latency{} [0 0 []]@10 [4 1.5 [1.0, 2.0]]@20 [8 3 [4.0, 2.0]]@30"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_summary_becomes_quantiles() {
    let fixture = Fixture::new().await;
    let metric = json!({"name": "wait", "summary": {"dataPoints": [{"timeUnixNano": at(10), "count": "3", "sum": 6,
        "quantileValues": [{"quantile": 0.5, "value": 2}, {"quantile": 0.99, "value": 3}]}]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    let found = fixture.load(&[("__name__", MatcherOperator::Matches, "wait.*")], (0, 99)).await;
    assert_eq!(
        shown(&found),
        ["wait{quantile=0.5} 2@10", "wait{quantile=0.99} 3@10", "wait_count{} 3@10", "wait_sum{} 6@10"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_not_mixed() {
    let fixture = Fixture::new().await;
    let of = |pid, scope, points: &[(u64, u64, i64)]| {
        request(&[("service.name", "shop"), ("process.pid", pid)], scope, &sum("requests", 2, points))
    };
    // Started anew: one series. At the same time: two.
    fixture.send_json(&of("7", "s", &[(1, 10, 5), (1, 20, 9)])).await;
    fixture.send_json(&of("8", "s", &[(21, 30, 1)])).await;
    assert_eq!(fixture.named("requests_total").await, ["requests_total{status=ok} 0@1 5@10 9@20 0@21 1@30"]);
    // The next one was there while the last was, but said so later: that is no reset.
    fixture.send_json(&of("10", "s", &[(29, 40, 3)])).await;
    let expect = "requests_total{status=ok} 0@1 5@10 9@20 0@21 1@30 3@40";
    assert_eq!(fixture.named("requests_total").await, [expect]);
    fixture.send_json(&of("9", "s", &[(1, 15, 4)])).await;
    assert_eq!(
        fixture.named("requests_total").await,
        [
            "requests_total{process_pid=10,status=ok} 0@29 3@40",
            "requests_total{process_pid=7,status=ok} 0@1 5@10 9@20",
            "requests_total{process_pid=8,status=ok} 0@21 1@30",
            "requests_total{process_pid=9,status=ok} 0@1 4@15",
        ]
    );
    let one = [
        ("__name__", MatcherOperator::Equal, "requests_total"),
        ("process_pid", MatcherOperator::Equal, "9"),
    ];
    assert_eq!(fixture.load(&one, (0, 99)).await.len(), 1);
    fixture.send_json(&of("7", "other", &[(1, 12, 2)])).await;
    let found = fixture.named("requests_total").await;
    assert_eq!(found.len(), 5, "{found:?}");
    assert!(
        found.contains(&"requests_total{otel_scope_name=other,process_pid=7,status=ok} 0@1 2@12".to_owned()),
        "{found:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bits_are_kept_and_too_much_is_refused() {
    let fixture = Fixture::new().await;
    let metric = json!({"name": "load", "gauge": {"dataPoints": [
        {"timeUnixNano": at(10), "asDouble": "NaN"}, {"timeUnixNano": at(20), "asDouble": "-Infinity"}]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    assert_eq!(fixture.named("load").await, ["load{} NaN@10 -inf@20"]);
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Metrics);
    let matchers = matchers(&[("__name__", MatcherOperator::Equal, "load")]);
    let selection = Selection { matchers, from: 0, to: 99 };
    let (scanner, question) = (Scanner::new().unwrap(), super::question().await);
    let stored = Stored { scanner: &scanner, question: &question, snapshot: &snapshot };
    let refused = series::load(stored, &selection, &mut 1).await.unwrap_err();
    assert!(matches!(refused, Error::Execution { .. }), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn series_are_listed() {
    let fixture = Fixture::new().await;
    fixture.send_json(&request(&SERVICE, "s", &sum("requests", 2, &[(1, 10, 1)]))).await;
    let metric = json!({"name": "wait", "histogram": {"aggregationTemporality": 2, "dataPoints":
        [{"timeUnixNano": at(10), "count": "3", "bucketCounts": ["1", "2"], "explicitBounds": [1]}]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    let listed = |selectors: Vec<Vec<Matcher>>, from: i64| {
        let request = SeriesRequest { selectors, from, to: 99, deadline: Deadline::default() };
        let fixture = &fixture;
        async move {
            let found = fixture.engine.series(&TenantId::default(), request).await.unwrap();
            found.items.iter().map(labels).collect::<Vec<_>>()
        }
    };
    let all = matchers(&[("__name__", MatcherOperator::Matches, ".+")]);
    let expect = [
        "requests_total{status=ok}",
        "wait_bucket{le=+Inf}",
        "wait_bucket{le=1}",
        "wait_count{}",
        "wait_sum{}",
    ];
    let twice = vec![all.clone(), matchers(&[("le", MatcherOperator::Equal, "1")])];
    let mut found = listed(twice, 0).await;
    found.retain(|series| series != "wait_sum{}");
    assert_eq!(found, expect[..4]);
    assert!(listed(vec![all], 11).await.is_empty());
    assert!(listed(vec![], 0).await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn exemplars_are_at_their_buckets() {
    let fixture = Fixture::new().await;
    let exemplar = json!({"timeUnixNano": at(9), "asDouble": 0.7, "traceId": "4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId": "00f067aa0ba902b7", "filteredAttributes": attributes(&[("user.id", "ada")])});
    let metric = json!({"name": "wait", "histogram": {"aggregationTemporality": 2, "dataPoints":
        [{"timeUnixNano": at(10), "count": "3", "bucketCounts": ["1", "2", "0"], "explicitBounds": [0.5, 1],
            "exemplars": [exemplar]}]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    let selectors = vec![matchers(&[("__name__", MatcherOperator::Equal, "wait_bucket")])];
    let request = SeriesRequest { selectors, from: 0, to: 99, deadline: Deadline::default() };
    let found = fixture.engine.exemplars(&TenantId::default(), request).await.unwrap().items;
    assert_eq!(found.len(), 1);
    assert_eq!(labels(&found[0].labels), "wait_bucket{le=1}");
    let exemplar = &found[0].exemplars[0];
    assert_eq!((exemplar.time, exemplar.value, exemplar.labels.get("user_id")), (9, 0.7, "ada"));
    assert_eq!(exemplar.trace_id.unwrap().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_have_names_of_prometheus() {
    let fixture = Fixture::new().await;
    let metric = json!({"name": "io", "unit": "By", "description": "what was read",
        "sum": {"aggregationTemporality": 2, "isMonotonic": true, "dataPoints": [{"timeUnixNano": at(10), "asInt": "1"}]}});
    fixture.send_json(&request(&SERVICE, "s", &metric)).await;
    let found = fixture.engine.metadata(&TenantId::default()).await.unwrap().items;
    let found = &found[0];
    assert_eq!(
        (&*found.name, found.kind, &*found.help, &*found.unit),
        ("io_bytes_total", "counter", "what was read", "bytes")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn expressions_are_computed_over_what_is_stored() {
    let fixture = Fixture::new().await;
    let seconds = |points: &[(u64, u64, i64)]| -> Vec<(u64, u64, i64)> {
        points.iter().map(|(start, time, value)| (start * 1_000, time * 1_000, *value)).collect()
    };
    fixture.send_json(&request(&SERVICE, "s", &sum("hits", 1, &seconds(&[(30, 60, 6), (60, 90, 6)])))).await;
    fixture.storage.seal().await.unwrap();
    fixture.send_json(&request(&SERVICE, "s", &sum("calls", 2, &seconds(&[(30, 90, 30)])))).await;
    let computed = |text: &'static str, steps: Steps| {
        let expression = parse(text).unwrap();
        let (text, deadline) = (text.to_owned(), Deadline::default());
        let request = PromqlRequest { text, expression, steps, lookback: 300_000, deadline };
        let fixture = &fixture;
        async move { fixture.engine.promql(&TenantId::default(), request).await.unwrap().value }
    };
    let Value::Vector(at, found) =
        computed("sum by (status) (increase(hits_total[1m]))", Steps::Instant(90_000)).await
    else {
        panic!("no vector")
    };
    assert_eq!((at, found.len(), found[0].0.get("status")), (90_000, 1, "ok"));
    // One sample within the minute would be no increase: the delta's start gives the other.
    assert_eq!(found[0].1, Sample::Float(12.0));
    let ratio = "sum(increase(calls_total[2m])) / on () sum(hits_total)";
    let steps = Steps::Range { start: 60_000, end: 120_000, step: 30_000 };
    let Value::Matrix(found) = computed(ratio, steps).await else { panic!("no matrix") };
    assert_eq!(found[0].points.iter().map(|point| point.time).collect::<Vec<_>>(), [90_000, 120_000]);
    assert!(matches!(found[0].points[0].sample, Sample::Float(value) if (2.0..4.0).contains(&value)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_is_told_of() {
    let fixture = Fixture::new().await;
    fixture.send_json(&request(&SERVICE, "s", &sum("hits", 2, &[(1, 10, 5)]))).await;
    fixture.storage.seal().await.unwrap();
    fixture.send_json(&request(&SERVICE, "s", &sum("hits", 2, &[(1, 20, 6)]))).await;
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Metrics);
    let path = snapshot.blocks[0].name();
    let length = std::fs::metadata(&path).unwrap().len();
    std::fs::write(&path, vec![0xa5; usize::try_from(length).unwrap()]).unwrap();
    let (text, steps, lookback) = ("hits_total".to_owned(), Steps::Instant(30), 300_000);
    let expression = parse(&text).unwrap();
    let request = PromqlRequest { text, expression, steps, lookback, deadline: Deadline::default() };
    let answer = fixture.engine.promql(&TenantId::default(), request).await.unwrap();
    assert_eq!((answer.value.len(), answer.warnings.len()), (1, 1), "{:?}", answer.warnings);
    assert!(answer.warnings[0].contains("damaged"), "{:?}", answer.warnings);
}
