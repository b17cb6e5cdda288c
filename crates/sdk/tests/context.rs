//! Contexts in headers of all kinds, and what a rate of sampling does to those who are called.

use crate::alone;
use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::serde_json::{Map, Value, json};
use clew_sdk::{Exporter, Propagation, baggage, extract, inject};
use std::collections::{BTreeMap, HashMap};

const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7";

fn quiet() -> clew_sdk::Builder {
    clew_sdk::builder().service("context").exporter(Exporter::None)
}

fn remote(flags: &str) -> Context {
    let headers = HashMap::from([
        ("TraceParent".to_owned(), format!("{PARENT}-{flags}")),
        ("tracestate".to_owned(), "vendor=1".to_owned()),
        ("baggage".to_owned(), "user.tier=premium,feature.flag=new_algorithm".to_owned()),
    ]);
    extract(&headers)
}

fn same(context: &Context, flags: &str) {
    let mut headers = BTreeMap::new();
    inject(context, &mut headers);
    assert_eq!(headers.get("traceparent"), Some(&format!("{PARENT}-{flags}")));
    assert_eq!(headers.get("tracestate").map(String::as_str), Some("vendor=1"));
    assert_eq!(baggage::of(context, "user.tier").as_deref(), Some("premium"));
    assert_eq!(baggage::of(context, "feature.flag").as_deref(), Some("new_algorithm"));
}

#[test]
fn contexts_survive_every_carrier() {
    let _alone = alone();
    let _telemetry = quiet().build().unwrap();
    for flags in ["01", "00"] {
        let context = remote(flags);
        same(&context, flags);

        let mut kafka: Vec<(String, Vec<u8>)> = vec![("other".to_owned(), vec![0xff])];
        inject(&context, &mut kafka);
        inject(&context, &mut kafka);
        assert_eq!(kafka.len(), 4);
        same(&extract(kafka.as_slice()), flags);

        let mut pairs = Vec::new();
        clew_sdk::inject_with(&context, |name, value| pairs.push((name.to_owned(), value)));
        let shown = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        same(&clew_sdk::extract_pairs(shown), flags);

        let mut metadata = Map::new();
        clew_sdk::inject_metadata(&context, &mut metadata);
        assert_eq!(metadata["trace_headers"]["traceparent"], format!("{PARENT}-{flags}"));
        same(&clew_sdk::extract_metadata(&metadata).unwrap(), flags);

        let mut parameters = json!({ "name": "get_weather", "_meta": { "progressToken": 1 } });
        clew_sdk::inject_mcp(&context, &mut parameters);
        assert_eq!(parameters["_meta"]["progressToken"], 1);
        same(&clew_sdk::extract_mcp(&parameters), flags);
    }
    assert!(clew_sdk::extract_metadata(&Map::new()).is_none());
    let empty = json!({ "trace_headers": { "traceparent": "nonsense" } });
    assert!(clew_sdk::extract_metadata(empty.as_object().unwrap()).is_none());
    let mut nothing = Value::Null;
    clew_sdk::inject_mcp(&remote("01"), &mut nothing);
    assert!(nothing["_meta"]["traceparent"].is_string());
}

#[test]
fn other_forms_go_by_choice() {
    let _alone = alone();
    let context = {
        let _telemetry = quiet().build().unwrap();
        remote("01")
    };
    for (forms, names) in [
        (vec![Propagation::B3], vec!["b3"]),
        (vec![Propagation::B3Multiple], vec!["x-b3-sampled", "x-b3-spanid", "x-b3-traceid"]),
        (vec![], vec![]),
        (
            vec![Propagation::TraceContext, Propagation::Jaeger],
            vec!["traceparent", "tracestate", "uber-trace-id", "uberctx-feature.flag", "uberctx-user.tier"],
        ),
    ] {
        let _telemetry = quiet().propagation(forms).build().unwrap();
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        inject(&context, &mut headers);
        assert_eq!(headers.keys().map(String::as_str).collect::<Vec<_>>(), names);
    }
}

#[test]
fn roots_are_counted_against_what_was_configured() {
    let _alone = alone();
    let telemetry = quiet().sampler(clew_sdk::sampling::parent_based(clew_sdk::sampling::ratio(0.1)));
    let telemetry = telemetry.build().unwrap();
    let before = telemetry.counts();
    let mut kept = 0_u64;
    for _ in 0..10_000 {
        let root = clew_sdk::span("root").start();
        let child = clew_sdk::span("child").parent(root.context()).start();
        // A trace is recorded whole or not at all.
        assert_eq!(root.is_recording(), child.is_recording());
        kept += u64::from(root.is_recording());
    }
    let after = telemetry.counts();
    assert_eq!(after.roots_started - before.roots_started, 10_000);
    assert_eq!(after.roots_sampled - before.roots_sampled, kept);
    assert!((900..=1_100).contains(&kept), "{kept}");

    for (flags, kept) in [("01", true), ("00", false)] {
        let span = clew_sdk::span("remote").parent(&remote(flags)).start();
        assert_eq!(span.is_recording(), kept, "{flags}");
        let mut headers: BTreeMap<String, String> = BTreeMap::new();
        inject(span.context(), &mut headers);
        assert!(headers["traceparent"].ends_with(flags), "{headers:?}");
        let context = span.context().span().span_context().clone();
        assert_eq!(context.trace_id().to_string(), "4bf92f3577b34da6a3ce929d0e0e4736");
    }
    assert_eq!(telemetry.counts().roots_started, after.roots_started);
}
