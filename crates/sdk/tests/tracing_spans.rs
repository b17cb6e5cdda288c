//! Spans of `tracing` with rig's names and fields, as full spans.

use crate::alone;
use crate::receiver::{Receiver, metrics, spans, text};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tracing::field::Empty;
use tracing_subscriber::layer::SubscriberExt;

/// What rig does in a run of an agent that calls a model, a tool and the model again.
fn run() {
    let agent = tracing::info_span!(target: "rig::agent_chat", "invoke_agent", gen_ai.operation.name = "invoke_agent",
        gen_ai.agent.name = "weather", gen_ai.prompt = "How is it?", gen_ai.usage.input_tokens = Empty);
    let entered = agent.enter();
    let model = tracing::info_span!(target: "rig::completions", "chat", gen_ai.operation.name = "chat",
        gen_ai.provider.name = "openai", gen_ai.request.model = "gpt-4o", gen_ai.usage.input_tokens = Empty,
        gen_ai.usage.output_tokens = Empty, gen_ai.usage.reasoning_tokens = Empty);
    model.in_scope(|| clew_sdk::span("POST").start().end());
    model.record("gen_ai.usage.input_tokens", 15_u64);
    model.record("gen_ai.usage.output_tokens", 7_u64);
    model.record("gen_ai.usage.reasoning_tokens", 3_u64);
    let tool = tracing::info_span!(target: "rig::agent_chat", "execute_tool", gen_ai.operation.name = "execute_tool",
        gen_ai.tool.name = Empty, gen_ai.tool.call.outcome = Empty, gen_ai.tool.error.type = Empty);
    tool.follows_from(model.id());
    drop(model);
    tool.record("gen_ai.tool.name", "get_weather");
    tool.record("gen_ai.tool.call.outcome", "error");
    tool.record("gen_ai.tool.error.type", "timeout");
    tracing::info_span!("something else").in_scope(|| clew_sdk::span("beside").start().end());
    drop((tool, entered));
}

#[test]
fn spans_of_rig_become_full_spans() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("rig").endpoint(receiver.endpoint()).build().unwrap();
    // The one of the process may belong to another test.
    tracing::subscriber::with_default(tracing_subscriber::registry().with(clew_sdk::agent_spans()), run);
    drop(telemetry);
    let got = receiver.got();
    let spans = spans(&got);
    let named = |name: &str| {
        spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("{name}: {spans:?}"))
    };
    let agent = named("invoke_agent weather");
    let model = named("chat gpt-4o");
    let tool = named("execute_tool get_weather");
    assert_eq!(spans.len(), 5);
    assert_eq!((agent.kind, model.kind), (SpanKind::Internal as i32, SpanKind::Client as i32));
    for child in [model, tool, named("beside")] {
        assert_eq!(child.parent_span_id, agent.span_id, "{}", child.name);
    }
    assert_eq!(named("POST").parent_span_id, model.span_id);
    assert_eq!(tool.links[0].span_id, model.span_id);
    assert_eq!(
        (tool.status.as_ref().unwrap().code, text(&tool.attributes, "error.type")),
        (2, Some("timeout"))
    );
    let keys: Vec<_> = model.attributes.iter().map(|attribute| attribute.key.as_str()).collect();
    assert!(keys.contains(&"gen_ai.usage.reasoning.output_tokens"), "{keys:?}");
    assert_eq!(text(&agent.attributes, "gen_ai.prompt"), None);
    let measured = format!("{:?}", metrics(&got));
    assert!(measured.contains("gen_ai.client.token.usage"), "{measured}");
}

/// A model that does not answer, and a span of another library that tells of an error, below a span that is active.
fn failures() {
    let request = clew_sdk::span("request").start();
    let _active = request.enter();
    let agent = tracing::info_span!(parent: None, "invoke_agent", gen_ai.operation.name = "invoke_agent", gen_ai.agent.name = "rig");
    agent.in_scope(|| {
        let chat = tracing::info_span!(
            "chat",
            gen_ai.operation.name = "chat",
            gen_ai.request.model = "silent",
            gen_ai.request.stream = Empty,
            rig.provider_request_id = Empty
        );
        chat.record("gen_ai.request.stream", true);
        chat.record("rig.provider_request_id", "req_1");
    });
    let other = tracing::info_span!("chat", gen_ai.operation.name = "chat", gen_ai.request.model = "loud", error.type = Empty);
    other.in_scope(|| tracing::error!(error = "overloaded", "cannot answer"));
    other.record("error.type", "busy");
    let alone = tracing::info_span!("chat", gen_ai.operation.name = "chat", gen_ai.request.model = "alone");
    alone.in_scope(|| tracing::error!("cannot answer"));
    let within = tracing::info_span!("chat", gen_ai.operation.name = "chat", gen_ai.request.model = "within");
    within.in_scope(|| {
        let root = tracing::info_span!(parent: None, "chat", gen_ai.operation.name = "chat", gen_ai.request.model = "root");
        drop(root);
    });
}

#[test]
fn failures_are_told_once() {
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("rig").endpoint(receiver.endpoint()).build().unwrap();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(clew_sdk::agent_spans()), failures);
    drop(telemetry);
    let spans = spans(&receiver.got());
    let named = |name: &str| spans.iter().find(|span| span.name == name).unwrap();
    for (name, error_type, message) in [
        ("chat silent", "_OTHER", ""),
        ("invoke_agent rig", "_OTHER", ""),
        ("chat loud", "busy", "overloaded"),
        ("chat alone", "_OTHER", "cannot answer"),
    ] {
        let span = named(name);
        let told = span.attributes.iter().filter(|attribute| attribute.key == "error.type").count();
        assert_eq!((text(&span.attributes, "error.type"), told), (Some(error_type), 1), "{name}");
        let status = span.status.clone().unwrap();
        assert_eq!((status.code, status.message.trim_matches('"')), (2, message), "{name}");
    }
    let request = named("request");
    assert_eq!(named("invoke_agent rig").parent_span_id, request.span_id);
    assert_eq!(named("chat silent").parent_span_id, named("invoke_agent rig").span_id);
    // Whoever wants no parent among the spans of `tracing` gets none.
    assert!(named("chat root").parent_span_id.is_empty());
    assert!(named("chat within").status.clone().unwrap_or_default().code == 0);
}
