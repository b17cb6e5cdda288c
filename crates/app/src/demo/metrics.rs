//! The metrics that the programs of the story would send.

use super::recorder::text;
use model::metric::{MetricKind, Number};
use model::value::{Attribute, Value};
use model::{MetricPoint, Span, Timestamp};
use std::collections::BTreeMap;

const DELTA: i32 = 1;

/// Requests and tokens counted over this run, and a gauge of each program.
pub fn points(spans: &[Span], time: Timestamp) -> Vec<MetricPoint> {
    let start = spans.iter().map(|span| span.start).min().unwrap_or(time);
    let mut points = gauges(spans, start, time);
    points.extend(tokens(spans, start, time));
    points
}

fn gauges(spans: &[Span], start: Timestamp, time: Timestamp) -> Vec<MetricPoint> {
    let mut services: BTreeMap<&str, (&Span, i64)> = BTreeMap::new();
    for span in spans {
        services.entry(service_name(span)).or_insert((span, 0)).1 += 1;
    }
    services
        .values()
        .flat_map(|(span, count)| {
            let memory = Number::Int(96_000_000 + 1_500_000 * count);
            let memory =
                point(span, "process.memory.usage", "By", "Memory in use", MetricKind::Gauge, memory);
            let spans = point(
                span,
                "demo.spans",
                "{span}",
                "Spans recorded by this program",
                MetricKind::Sum,
                Number::Int(*count),
            );
            [memory, spans]
        })
        .map(|point| MetricPoint { start, time, ..point })
        .collect()
}

fn tokens(spans: &[Span], start: Timestamp, time: Timestamp) -> Vec<MetricPoint> {
    let mut sums: BTreeMap<(&str, &str), (&Span, i64)> = BTreeMap::new();
    for span in spans {
        let Some(model) = attribute(span, "gen_ai.request.model").and_then(Value::as_str) else { continue };
        for (kind, key) in [("input", "gen_ai.usage.input_tokens"), ("output", "gen_ai.usage.output_tokens")]
        {
            if let Some(Value::Int(tokens)) = attribute(span, key) {
                sums.entry((model, kind)).or_insert((span, 0)).1 += tokens;
            }
        }
    }
    sums.iter()
        .map(|((model, kind), (span, sum))| MetricPoint {
            attributes: vec![text("gen_ai.request.model", model), text("gen_ai.token.type", kind)],
            start,
            time,
            ..point(span, "demo.tokens", "{token}", "Tokens used", MetricKind::Sum, Number::Int(*sum))
        })
        .collect()
}

fn point(
    span: &Span,
    name: &str,
    unit: &str,
    description: &str,
    kind: MetricKind,
    number: Number,
) -> MetricPoint {
    MetricPoint {
        resource: span.resource.clone(),
        scope: span.scope.clone(),
        name: name.to_owned(),
        description: description.to_owned(),
        unit: unit.to_owned(),
        kind,
        temporality: if kind == MetricKind::Sum { DELTA } else { 0 },
        monotonic: kind == MetricKind::Sum,
        number: Some(number),
        ..MetricPoint::default()
    }
}

fn service_name(span: &Span) -> &str {
    let name = span.resource.attributes.iter().find(|attribute| attribute.key == "service.name");
    name.and_then(|name| name.value.as_str()).unwrap_or_default()
}

fn attribute<'a>(span: &'a Span, key: &str) -> Option<&'a Value> {
    span.attributes.iter().find(|Attribute { key: known, .. }| known == key).map(|found| &found.value)
}
