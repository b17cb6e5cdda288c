//! All five kinds of metrics from JSON.

use super::json::read;
use crate::metric::{MetricKind, Number};
use crate::otlp;
use crate::otlp::wire::{Data, Fields, Slice};
use crate::{MetricPoint, Signal};

pub const JSON: &str = r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[
    {"name":"g","unit":"1","gauge":{"dataPoints":[{"timeUnixNano":"5","asInt":"-9007199254740993"},{"asDouble":"Infinity"}]}},
    {"name":"s","sum":{"aggregationTemporality":"AGGREGATION_TEMPORALITY_DELTA","isMonotonic":true,
        "dataPoints":[{"asDouble":1.5,"exemplars":[{"asInt":1,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736"}]}]}},
    {"name":"h","histogram":{"aggregationTemporality":2,"dataPoints":[{"startTimeUnixNano":1,"timeUnixNano":2,
        "count":"4","sum":10,"bucketCounts":["1",3],"explicitBounds":[0.5],"min":0.1,"flags":1,
        "attributes":[{"key":"k","value":{"stringValue":"v"}}]}]}},
    {"name":"e","exponentialHistogram":{"aggregationTemporality":2,"dataPoints":[{"count":2,"sum":3.5,"scale":-2,
        "zeroCount":"1","positive":{"offset":-1,"bucketCounts":["1","2"]},"attributes":{"k":1}}]}},
    {"name":"q","summary":{"dataPoints":[{"count":7,"sum":1,"quantileValues":[{"quantile":0.5,"value":2}]}]}},
    {"name":"nothing"}
]}]}]}"#;

fn points() -> Vec<MetricPoint> {
    let batch = read(Signal::Metrics, JSON).unwrap();
    assert_eq!((batch.accepted, batch.rejected.count), (6, 0));
    otlp::metric_points(&batch.columns[0])
}

/// Numbers of the fields that a point keeps as bytes, with their raw numbers.
fn kept(point: &MetricPoint) -> Vec<(u32, u64)> {
    let fields = Fields::new(Slice { bytes: &point.wire, at: 0 });
    fields.map(Result::unwrap).map(|(number, data)| (number, data.number())).collect()
}

#[test]
fn numbers() {
    let points = points();
    assert_eq!(points[0].number, Some(Number::Int(-9_007_199_254_740_993)));
    assert_eq!((points[0].kind, points[0].time.0, points[0].wire.len()), (MetricKind::Gauge, 5, 0));
    assert_eq!(points[1].number, Some(Number::Double(f64::INFINITY)));
    let sum = &points[2];
    assert_eq!((sum.kind, sum.temporality, sum.monotonic), (MetricKind::Sum, 1, true));
    assert_eq!(kept(sum), [(5, 0)]);
}

#[test]
fn histograms_and_summaries() {
    let points = points();
    let histogram = &points[3];
    assert_eq!(
        (histogram.kind, histogram.count, histogram.sum),
        (MetricKind::Histogram, Some(4), Some(10.0))
    );
    assert_eq!((histogram.start.0, histogram.flags, histogram.attributes.len()), (1, 1, 1));
    let (sum, bound, least) = (10f64.to_bits(), 0.5f64.to_bits(), 0.1f64.to_bits());
    assert_eq!(kept(histogram), [(4, 4), (5, sum), (6, 1), (6, 3), (7, bound), (11, least)]);

    let exponential = &points[4];
    assert_eq!((exponential.count, exponential.sum), (Some(2), Some(3.5)));
    assert_eq!(exponential.attributes, [crate::Attribute::new("k", crate::Value::Int(1))]);
    // -2 in zigzag is 3.
    assert_eq!(kept(exponential), [(4, 2), (5, 3.5f64.to_bits()), (6, 3), (7, 1), (8, 0)]);
    let buckets = Fields::new(Slice { bytes: &exponential.wire, at: 0 }).map(Result::unwrap).last().unwrap();
    let Data::Bytes(buckets) = buckets.1 else { panic!("buckets are a message") };
    let buckets: Vec<_> =
        Fields::new(buckets).map(Result::unwrap).map(|(n, data)| (n, data.number())).collect();
    assert_eq!(buckets, [(1, 1), (2, 1), (2, 2)]);

    assert_eq!((points[5].kind, points[5].count), (MetricKind::Summary, Some(7)));
}

#[test]
fn exemplars_are_read_of_all_kinds_that_have_them() {
    let exemplars = r#"[{"timeUnixNano":"7","asDouble":0.25,"traceId":"4bf92f3577b34da6a3ce929d0e0e4736",
        "spanId":"00f067aa0ba902b7","filteredAttributes":[{"key":"user","value":{"stringValue":"ada"}}]},
        {"asInt":"-3","traceId":"00000000000000000000000000000000"},{}]"#;
    for (data, field) in [("gauge", 5), ("sum", 5), ("histogram", 8), ("exponentialHistogram", 11)] {
        let json = format!(
            r#"{{"resourceMetrics":[{{"scopeMetrics":[{{"metrics":[{{"name":"m","{data}":{{"dataPoints":[{{"exemplars":{exemplars}}}]}}}}]}}]}}]}}"#
        );
        let batch = read(Signal::Metrics, &json).unwrap();
        let point = &otlp::metric_points(&batch.columns[0])[0];
        assert_eq!(kept(point), [(field, 0); 3], "{data}");
        let read = otlp::exemplars(point);
        assert_eq!((read[0].time.0, read[0].number), (7, Some(Number::Double(0.25))), "{data}");
        let ids = (read[0].trace_id.unwrap().to_string(), read[0].span_id.unwrap().to_string());
        assert_eq!(ids, ("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned()));
        assert_eq!(
            read[0].attributes,
            [crate::Attribute::new("user", crate::Value::String("ada".to_owned()))]
        );
        assert_eq!((read[1].number, read[1].trace_id), (Some(Number::Int(-3)), None), "{data}");
        assert_eq!(read[2], crate::metric::Exemplar::default(), "{data}");
    }
    assert!(
        points()
            .iter()
            .enumerate()
            .all(|(index, point)| otlp::exemplars(point).len() == usize::from(index == 2))
    );
}
