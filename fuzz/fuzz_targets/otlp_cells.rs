//! Readers of the bytes that columns hold: attributes, resources, scopes, events, links, distributions of points.
#![no_main]

use model::metric::MetricKind;
use model::{Attribute, MetricPoint, otlp};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let value = otlp::any_value(bytes);
    let _ = otlp::text_value(bytes);
    otlp::each_text(bytes, &mut |_| {});
    otlp::each_tail_text(bytes, &mut |_| {});
    otlp::each_event_text(bytes, &mut |_| {});
    let attributes = otlp::tail_attributes(bytes);
    // Keys that are no text never come so far: they are read with what stands for that.
    for attribute in attributes.iter().filter(|attribute| !attribute.key.contains('\u{fffd}')) {
        assert!(otlp::tail_find(bytes, &attribute.key).is_some());
    }
    let mut tail = Vec::new();
    otlp::encode_attribute(&Attribute::new("k", value.clone()), &mut tail);
    // Compared as text: NaN is not equal to itself.
    assert_eq!(format!("{:?}", otlp::tail_attributes(&tail)[0].value), format!("{value:?}"));
    let _ = (otlp::resource(bytes), otlp::scope(bytes), otlp::events(bytes), otlp::links(bytes));
    let _ = (otlp::explicit_buckets(bytes), otlp::exponential_buckets(bytes), otlp::quantiles(bytes));
    let _ = otlp::response::decode_response(bytes);
    for kind in [MetricKind::Gauge, MetricKind::Sum, MetricKind::Histogram, MetricKind::ExponentialHistogram] {
        let _ = otlp::exemplars(&MetricPoint { kind, wire: bytes.to_vec(), ..MetricPoint::default() });
    }
});
