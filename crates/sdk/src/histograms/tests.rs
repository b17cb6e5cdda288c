//! What histograms keep, count and tell.

use super::{Description, Filter, Histogram, Histograms, Origin, add_to, series};
use opentelemetry::{InstrumentationScope, KeyValue, SpanId, TraceId};
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{HistogramDataPoint, ResourceMetrics};
use opentelemetry_sdk::metrics::Temporality;
use std::sync::Arc;

fn origin(span: u64, sampled: bool) -> Origin {
    Origin { trace: TraceId::from(7_u128), span: SpanId::from(span), sampled }
}

fn histogram(filter: Filter, whole: bool) -> (Histograms, Arc<Histogram>) {
    let histograms = Histograms::new(filter);
    let about = Description {
        name: "took".into(),
        description: "How long.".into(),
        unit: "s".into(),
        bounds: vec![1.0, 2.0],
        whole,
    };
    let made = histograms.get(&InstrumentationScope::builder("tests").build(), about.clone());
    assert!(Arc::ptr_eq(&made, &histograms.get(&made.scope.clone(), about)));
    (histograms, made)
}

fn points(histograms: &Histograms, temporality: Temporality) -> Vec<HistogramDataPoint> {
    let resource_metrics = vec![ResourceMetrics::default()];
    let mut request = ExportMetricsServiceRequest { resource_metrics };
    add_to(&mut request, histograms, temporality);
    let scopes = request.resource_metrics.into_iter().flat_map(|resource| resource.scope_metrics);
    let metrics = scopes.flat_map(|scope| scope.metrics);
    let points = metrics.flat_map(|metric| match metric.data {
        Some(Data::Histogram(histogram)) => histogram.data_points,
        other => panic!("{other:?}"),
    });
    points.collect()
}

#[test]
fn each_bucket_keeps_its_last_exemplar_of_the_interval() {
    for temporality in [Temporality::Cumulative, Temporality::Delta] {
        let (histograms, took) = histogram(Filter::TraceBased, false);
        for (index, value) in [0.5, 1.0, 2.5, 9.0, -3.0].into_iter().enumerate() {
            took.record(value, &[], took.filter.witness(origin(index as u64 + 1, value > 0.0)));
        }
        let first = points(&histograms, temporality);
        let point = &first[0];
        assert_eq!((point.count, point.sum, &point.bucket_counts[..]), (5, Some(10.0), &[3, 0, 2][..]));
        assert_eq!(
            (point.min, point.max, &point.explicit_bounds[..]),
            (Some(-3.0), Some(9.0), &[1.0, 2.0][..])
        );
        let told: Vec<_> = point.exemplars.iter().map(|told| (told.value, told.span_id.clone())).collect();
        let id = |span: u64| span.to_be_bytes().to_vec();
        assert_eq!(told, [(Some(Value::AsDouble(1.0)), id(2)), (Some(Value::AsDouble(9.0)), id(4))]);
        for told in &point.exemplars {
            assert_eq!(told.trace_id, 7_u128.to_be_bytes());
            assert!((point.start_time_unix_nano..=point.time_unix_nano).contains(&told.time_unix_nano));
        }

        // The next interval has none of these.
        took.record(1.5, &[], took.filter.witness(origin(0, false)));
        let second = &points(&histograms, temporality)[0];
        let counted = if temporality == Temporality::Delta { 1 } else { 6 };
        assert_eq!((second.count, second.exemplars.len()), (counted, 0));
        assert_eq!(second.start_time_unix_nano == point.start_time_unix_nano, counted == 6);
        let rest = points(&histograms, temporality);
        assert_eq!(rest.is_empty(), temporality == Temporality::Delta);
    }
}

#[test]
fn the_filter_says_whose_measurements_are_told() {
    for (filter, sampled, told) in [
        (Filter::TraceBased, true, 1),
        (Filter::TraceBased, false, 0),
        (Filter::AlwaysOn, false, 1),
        (Filter::AlwaysOff, true, 0),
    ] {
        let (histograms, took) = histogram(filter, true);
        took.record(3.0, &[], took.filter.witness(origin(1, sampled)));
        let point = &points(&histograms, Temporality::Delta)[0];
        assert_eq!((point.count, point.exemplars.len()), (1, told), "{filter:?} {sampled}");
        assert!(point.exemplars.iter().all(|told| told.value == Some(Value::AsInt(3))));
    }
    let (histograms, took) = histogram(Filter::AlwaysOn, true);
    took.record(3.0, &[], took.filter.witness(Origin::active()));
    let exemplar = &points(&histograms, Temporality::Delta)[0].exemplars[0];
    assert_eq!((exemplar.trace_id.len(), exemplar.span_id.len()), (0, 0));
}

#[test]
fn attributes_are_a_set_and_the_last_of_a_key_counts() {
    let (histograms, took) = histogram(Filter::TraceBased, false);
    let (a, b) = (KeyValue::new("a", 1_i64), KeyValue::new("b", 2_i64));
    took.record(1.0, &[a.clone(), b.clone()], took.filter.witness(origin(1, false)));
    took.record(1.0, &[b.clone(), a.clone()], took.filter.witness(origin(1, false)));
    took.record(1.0, &[KeyValue::new("b", 9_i64), a, b], took.filter.witness(origin(1, false)));
    for lost in [f64::NAN, f64::INFINITY] {
        took.record(lost, &[], took.filter.witness(origin(1, true)));
    }
    let points = points(&histograms, Temporality::Cumulative);
    assert_eq!((points.len(), points[0].count, points[0].attributes.len()), (1, 3, 2));
}

#[test]
fn attributes_without_bound_cost_bounded_memory() {
    let (histograms, took) = histogram(Filter::TraceBased, false);
    for index in 0..5_000_i64 {
        took.record(1.0, &[KeyValue::new("user", index)], took.filter.witness(origin(1, true)));
    }
    let points = points(&histograms, Temporality::Cumulative);
    assert_eq!(points.len(), series::SETS + 1);
    assert_eq!(points.iter().map(|point| point.count).sum::<u64>(), 5_000);
    let rest = points.iter().find(|point| point.attributes[0].key == "otel.metric.overflow").unwrap();
    assert_eq!((rest.count, rest.exemplars.len()), (3_000, 1));
}
