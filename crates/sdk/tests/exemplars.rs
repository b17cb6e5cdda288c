//! Measurements of calls lead to the calls, however they are sent.

use crate::receiver::{Got, Receiver, metrics, text};
use opentelemetry_proto::tonic::metrics::v1::exemplar::Value;
use opentelemetry_proto::tonic::metrics::v1::metric::Data;
use opentelemetry_proto::tonic::metrics::v1::{Histogram, HistogramDataPoint, Metric};
use std::time::Duration;

/// One call that the program made.
#[derive(Debug, Clone, PartialEq)]
struct Call {
    interval: String,
    trace: String,
    span: String,
    input: i64,
    sampled: bool,
}

/// Runs the program; the calls that it made, and the agent's ids.
fn run(receiver: &Receiver, variables: &[(&str, &str)]) -> (Vec<Call>, (String, String)) {
    let mut program = crate::example("model_calls");
    program.env("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.endpoint()).envs(variables.iter().copied());
    let output = program.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    let (mut calls, mut agent) = (Vec::new(), None);
    for line in output.lines() {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        match &words[..] {
            [_, trace, span] => agent = Some((trace.clone(), span.clone())),
            [interval, trace, span, input, sampled] => calls.push(Call {
                interval: interval.clone(),
                trace: trace.clone(),
                span: span.clone(),
                input: input.parse().unwrap(),
                sampled: sampled == "true",
            }),
            _ => panic!("{line}"),
        }
    }
    (calls, agent.unwrap())
}

/// The readings of one metric, one for each interval.
fn readings(got: &[Got], name: &str) -> Vec<Metric> {
    let resources = metrics(got).into_iter().flat_map(|request| request.resource_metrics);
    let scopes = resources.flat_map(|resource| resource.scope_metrics);
    scopes.flat_map(|scope| scope.metrics).filter(|metric| metric.name == name).collect()
}

fn histogram(metric: &Metric) -> &Histogram {
    match &metric.data {
        Some(Data::Histogram(histogram)) => histogram,
        other => panic!("{other:?}"),
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn of<'a>(histogram: &'a Histogram, kind: &str) -> &'a HistogramDataPoint {
    let points = histogram.data_points.iter();
    points.clone().find(|point| text(&point.attributes, "gen_ai.token.type") == Some(kind)).unwrap()
}

/// The values of a point's exemplars, with the spans that they tell.
fn told(point: &HistogramDataPoint) -> Vec<(i64, String, String)> {
    let exemplars = point.exemplars.iter().map(|exemplar| {
        assert!((point.start_time_unix_nano..=point.time_unix_nano).contains(&exemplar.time_unix_nano));
        let Some(Value::AsInt(value)) = exemplar.value else { panic!("{exemplar:?}") };
        (value, hexadecimal(&exemplar.trace_id), hexadecimal(&exemplar.span_id))
    });
    exemplars.collect()
}

/// What is to be told of the calls of one interval: each has a bucket of its own, by how large its input was.
fn expected(calls: &[Call], interval: &str, which: impl Fn(&Call) -> bool) -> Vec<(i64, String, String)> {
    let here = calls.iter().filter(|call| call.interval == interval && which(call));
    here.map(|call| (call.input, call.trace.clone(), call.span.clone())).collect()
}

#[test]
fn exemplars_arrive_over_every_protocol_and_in_both_temporalities() {
    for (protocol, temporality, gzip) in [
        ("http/protobuf", "cumulative", "none"),
        ("http/protobuf", "delta", "gzip"),
        ("http/json", "cumulative", "gzip"),
        ("http/json", "delta", "none"),
        ("grpc", "cumulative", "none"),
        ("grpc", "delta", "gzip"),
    ] {
        let receiver = if protocol == "grpc" { Receiver::grpc(None) } else { Receiver::start() };
        let (calls, agent) = run(
            &receiver,
            &[
                ("OTEL_EXPORTER_OTLP_PROTOCOL", protocol),
                ("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", temporality),
                ("OTEL_EXPORTER_OTLP_COMPRESSION", gzip),
            ],
        );
        let got = receiver.got();
        let case = format!("{protocol} {temporality}");
        let usage = readings(&got, "gen_ai.client.token.usage");
        assert_eq!(usage.len(), 2, "{case}");
        let delta = temporality == "delta";
        for (index, (metric, interval)) in usage.iter().zip(["1", "2"]).enumerate() {
            let usage = histogram(metric);
            assert_eq!(usage.aggregation_temporality, if delta { 1 } else { 2 }, "{case}");
            let input = of(usage, "input");
            assert_eq!(told(input), expected(&calls, interval, |call| call.sampled), "{case}");
            let so_far = if delta { 4 } else { 4 * (index as u64 + 1) };
            assert_eq!((input.count, of(usage, "output").exemplars.len()), (so_far, 1), "{case}");
        }
        let [first, second] = [&usage[0], &usage[1]].map(|metric| of(histogram(metric), "input"));
        assert_eq!(first.start_time_unix_nano == second.start_time_unix_nano, !delta, "{case}");
        for name in ["gen_ai.client.operation.duration", "gen_ai.client.operation.time_to_first_chunk"] {
            for metric in readings(&got, name) {
                let exemplars = histogram(&metric).data_points[0].exemplars.clone();
                assert!(!exemplars.is_empty(), "{case} {name}");
                for exemplar in exemplars {
                    let span = hexadecimal(&exemplar.span_id);
                    let call = calls.iter().find(|call| call.span == span).unwrap();
                    assert!(call.sampled && call.trace == hexadecimal(&exemplar.trace_id), "{case} {name}");
                }
            }
        }
        of_the_program(&got, &agent, &case);
    }
}

/// The program's own instruments: a histogram with its exemplar, and a counter beside it.
fn of_the_program(got: &[Got], agent: &(String, String), case: &str) {
    for metric in readings(got, "app.latency") {
        let point = &histogram(&metric).data_points[0];
        assert_eq!((point.explicit_bounds.len(), metric.unit.as_str()), (15, "ms"), "{case}");
        assert_eq!(text(&point.attributes, "route"), Some("/chat"), "{case}");
        let [exemplar] = &point.exemplars[..] else { panic!("{case}: {point:?}") };
        assert_eq!(exemplar.value, Some(Value::AsDouble(7.0)), "{case}");
        let ids = (hexadecimal(&exemplar.trace_id), hexadecimal(&exemplar.span_id));
        assert_eq!(&ids, agent, "{case}");
    }
    assert_eq!(readings(got, "app.requests").len(), 2, "{case}");
    assert!(!readings(got, "clew.traces.spans").is_empty(), "{case}");
}

#[test]
fn the_filter_of_the_environment_holds() {
    for (filter, which) in [
        ("always_on", (|_| true) as fn(&Call) -> bool),
        ("always_off", |_| false),
        ("sometimes", |call| call.sampled),
    ] {
        let receiver = Receiver::start();
        let (calls, _) = run(&receiver, &[("OTEL_METRICS_EXEMPLAR_FILTER", filter)]);
        let got = receiver
            .wait(Duration::from_secs(20), |got| readings(got, "gen_ai.client.token.usage").len() == 2);
        let usage = readings(&got, "gen_ai.client.token.usage");
        assert_eq!(told(of(histogram(&usage[1]), "input")), expected(&calls, "2", which), "{filter}");
    }
}
