//! What agents do, as it arrives: names, kinds, attributes, parents, measurements.

use crate::alone;
use crate::receiver::{Receiver, metrics, spans, text};
use clew_sdk::serde_json::json;
use clew_sdk::{Content, Message};
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value::Value};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;

fn sent(builder: clew_sdk::Builder, record: impl FnOnce()) -> (Vec<Span>, Receiver) {
    let receiver = Receiver::start();
    let telemetry = builder.service("agents").endpoint(receiver.endpoint()).build().unwrap();
    record();
    drop(telemetry);
    (spans(&receiver.got()), receiver)
}

pub fn named<'a>(spans: &'a [Span], name: &str) -> &'a Span {
    spans.iter().find(|span| span.name == name).unwrap_or_else(|| panic!("no {name}: {spans:?}"))
}

/// An attribute as text, of whatever type it is.
pub fn shown(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    Some(match found.value.clone()?.value? {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        Value::DoubleValue(number) => number.to_string(),
        Value::BoolValue(truth) => truth.to_string(),
        Value::ArrayValue(list) => {
            let texts = list.values.into_iter().filter_map(|value| match value.value {
                Some(Value::StringValue(text)) => Some(text),
                _ => None,
            });
            format!("[{}]", texts.collect::<Vec<_>>().join(","))
        }
        other => format!("{other:?}"),
    })
}

fn chat() {
    let call = clew_sdk::model_call("openai", "gpt-4o").temperature(0.7).max_tokens(256).stream().start();
    call.input([Message::system("be brief"), Message::user("mail ada@example.com the weather")]);
    call.first_token();
    call.output([Message::assistant("")
        .tool_call("call_1", "mail", json!({ "to": "ada" }))
        .finished("tool_call")]);
    call.usage(150, 200);
    call.finish_reason("stop");
    call.response_model("gpt-4o-2024-08-06");
    call.end();
}

#[test]
fn one_call_answers_to_all_its_names() {
    let _alone = alone();
    let (spans, _receiver) = sent(clew_sdk::builder().old_names(true), chat);
    let call = named(&spans, "chat gpt-4o");
    assert_eq!(call.kind, SpanKind::Client as i32);
    for (key, value) in [
        ("gen_ai.system", "openai"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", "gpt-4o"),
        ("gen_ai.request.temperature", "0.7"),
        ("gen_ai.request.max_tokens", "256"),
        ("gen_ai.usage.input_tokens", "150"),
        ("gen_ai.usage.output_tokens", "200"),
        ("gen_ai.response.finish_reason", "stop"),
        ("gen_ai.response.finish_reasons", "[stop]"),
        ("llm.model", "gpt-4o"),
        ("model.name", "gpt-4o"),
        ("model.tokens_output", "200"),
    ] {
        assert_eq!(shown(&call.attributes, key).as_deref(), Some(value), "{key}");
    }
}

#[test]
fn nothing_said_is_recorded_unless_it_is_asked_for() {
    let _alone = alone();
    for (content, recorded) in [(Content::Off, false), (Content::On, true)] {
        let (spans, receiver) = sent(clew_sdk::builder().capture_content(content), || {
            chat();
            let tool =
                clew_sdk::tool("mail").arguments(json!({ "to": "ada", "api_key": "hunter2222" })).start();
            tool.result("sent");
            tool.end();
        });
        let call = named(&spans, "chat gpt-4o");
        let tool = named(&spans, "execute_tool mail");
        for (span, key) in [
            (call, "gen_ai.input.messages"),
            (call, "gen_ai.output.messages"),
            (tool, "gen_ai.tool.call.arguments"),
            (tool, "gen_ai.tool.call.result"),
        ] {
            assert_eq!(text(&span.attributes, key).is_some(), recorded, "{key} with {content:?}");
        }
        assert!(shown(&call.attributes, "gen_ai.system").is_none());
        let bodies = receiver.got().into_iter().map(|got| String::from_utf8_lossy(&got.body).into_owned());
        let bodies: String = bodies.collect();
        assert!(!bodies.contains("ada@example.com") && !bodies.contains("hunter2222"));
        if recorded {
            let asked: clew_sdk::serde_json::Value =
                clew_sdk::serde_json::from_str(text(&call.attributes, "gen_ai.input.messages").unwrap())
                    .unwrap();
            assert_eq!(asked[1]["parts"][0]["content"], "mail [redacted] the weather");
        }
    }
}

#[test]
fn calls_are_measured_whether_they_are_sampled_or_not() {
    let _alone = alone();
    let (spans, receiver) = sent(clew_sdk::builder().sampler(clew_sdk::sampling::never()), || {
        chat();
        let failed = clew_sdk::model_call("openai", "gpt-4o").start();
        failed.fail("timeout", "no answer");
    });
    assert_eq!(spans.len(), 0);
    let all = format!("{:?}", metrics(&receiver.got()));
    for name in [
        "gen_ai.client.operation.duration",
        "gen_ai.client.token.usage",
        "gen_ai.client.operation.time_to_first_chunk",
        "gen_ai.token.type",
        "clew.traces.spans",
        "clew.traces.sampling.ratio",
        "timeout",
    ] {
        assert!(all.contains(name), "{name}: {all}");
    }
}

#[test]
fn a_subscriber_of_its_own_takes_the_layer_of_logs() {
    use tracing_subscriber::layer::SubscriberExt;
    let _alone = alone();
    let receiver = Receiver::start();
    let telemetry = clew_sdk::builder().service("own").endpoint(receiver.endpoint()).build().unwrap();
    let subscriber = tracing_subscriber::registry().with(telemetry.log_layer());
    tracing::subscriber::with_default(subscriber, || tracing::debug!(password = "hunter22", "heard"));
    drop(telemetry);
    let sent = format!("{:?}", crate::receiver::logs(&receiver.got()));
    assert!(sent.contains("heard") && sent.contains("[redacted]") && !sent.contains("hunter22"), "{sent}");
}

#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error("the tool is out of reach")]
    OutOfReach(#[source] std::io::Error),
}

#[test]
fn failures_are_told_in_all_their_places() {
    let _alone = alone();
    let (spans, _receiver) = sent(clew_sdk::builder(), || {
        let agent = clew_sdk::agent("planner").conversation("talk-1").start();
        let active = agent.enter();
        let tool = clew_sdk::tool("get_weather").call_id("call_1").start();
        let cause = std::io::Error::new(std::io::ErrorKind::TimedOut, "2 s passed");
        tool.fail_with(&Trouble::OutOfReach(cause));
        drop(tool);
        drop(active);
        agent.succeed();
        agent.end();
    });
    let tool = named(&spans, "execute_tool get_weather");
    assert_eq!(shown(&tool.attributes, "error.type").as_deref(), Some("OutOfReach"));
    let status = tool.status.as_ref().unwrap();
    assert_eq!((status.code, status.message.as_str()), (2, "the tool is out of reach: 2 s passed"));
    assert_eq!(tool.events[0].name, "exception");
    assert_eq!(text(&tool.events[0].attributes, "exception.message"), Some(status.message.as_str()));
    let agent = named(&spans, "invoke_agent planner");
    assert_eq!((agent.status.as_ref().unwrap().code, &tool.parent_span_id), (1, &agent.span_id));
    assert_eq!(text(&agent.attributes, "gen_ai.conversation.id"), Some("talk-1"));
}

#[test]
fn children_may_outlive_their_parents_and_threads_and_tasks_carry_them() {
    let _alone = alone();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let (spans, _receiver) = sent(clew_sdk::builder().baggage_attribute("tenant.*"), || {
        let parent = clew_sdk::span("parent").start();
        let context = clew_sdk::baggage::on(parent.context(), [("tenant.id", "acme"), ("secret", "x")]);
        let active = context.attach();
        let (release, wait) = tokio::sync::oneshot::channel::<()>();
        let entered = runtime.enter();
        let task = clew_sdk::task(async move {
            let child = clew_sdk::span("async_operation").start();
            child.run(wait).await.unwrap();
        });
        let thread = clew_sdk::thread("worker", || clew_sdk::span("on a thread").start().end()).unwrap();
        thread.join().unwrap();
        drop((active, entered));
        parent.end();
        release.send(()).unwrap();
        runtime.block_on(task).unwrap();
    });
    let parent = named(&spans, "parent");
    for name in ["async_operation", "on a thread"] {
        let child = named(&spans, name);
        assert_eq!((&child.trace_id, &child.parent_span_id), (&parent.trace_id, &parent.span_id), "{name}");
        assert_eq!(text(&child.attributes, "tenant.id"), Some("acme"));
        assert_eq!(text(&child.attributes, "secret"), None);
    }
    assert!(named(&spans, "async_operation").end_time_unix_nano >= parent.end_time_unix_nano);
}
