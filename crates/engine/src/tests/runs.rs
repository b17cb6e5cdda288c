//! Traces as runs: what was used is counted once and priced right, failures are found, time is accounted for.

use super::{Fixture, span, text};
use model::span::Status;
use model::{Attribute, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value};
use proptest::prelude::{Just, Strategy, any, prop, prop_oneof, proptest};
use query::filter::Expression;
use query::run::{Part, Run, RunState};
use query::{Deadline, EntitiesRequest, EntityKind};

fn int(key: &str, value: i64) -> Attribute {
    Attribute::new(key, Value::Int(value))
}

fn used(input: i64, output: i64) -> Vec<Attribute> {
    vec![int("gen_ai.usage.input_tokens", input), int("gen_ai.usage.output_tokens", output)]
}

fn agent(number: u64, parent: Option<u64>, more: Vec<Attribute>) -> Span {
    let kind = vec![text("gen_ai.operation.name", "invoke_agent"), text("gen_ai.agent.name", "planner")];
    span(1, number, parent, "agent", [kind, more].concat())
}

fn chat(number: u64, parent: u64, model: &str, more: Vec<Attribute>) -> Span {
    let kind = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", model),
    ];
    span(1, number, Some(parent), "chat", [kind, more].concat())
}

async fn run(spans: &[Span]) -> Run {
    let fixture = Fixture::new().await;
    fixture.send(spans).await;
    fixture.engine.run(&TenantId::default(), TraceId([1; 16])).await.unwrap().unwrap()
}

async fn totals(spans: &[Span]) -> (u64, u64, Option<f64>) {
    let total = run(spans).await.total;
    (total.usage.input, total.usage.output, total.cost.map(|cost| (cost * 1e6).round() / 1e6))
}

/// 1,000 + 100 tokens of gpt-4o: 2.5 and 10 dollars a million.
const ONE_CALL: (u64, u64, Option<f64>) = (1_000, 100, Some(0.0035));

#[tokio::test(flavor = "multi_thread")]
async fn agents_repeat_what_their_calls_used() {
    let calls = [chat(2, 1, "gpt-4o", used(1_000, 100))];
    let mut spans = vec![agent(1, None, used(1_000, 100))];
    spans.extend(calls);
    assert_eq!(totals(&spans).await, ONE_CALL);
    // Agents whose calls nobody saw: the topmost counts, once.
    let model = || [used(1_000, 100), vec![text("gen_ai.request.model", "gpt-4o")]].concat();
    assert_eq!(totals(&[agent(1, None, model()), agent(2, Some(1), model())]).await, ONE_CALL);
    // A framework's call around its client's: the inner one.
    let spans = [
        agent(1, None, Vec::new()),
        chat(2, 1, "gpt-4o", used(1_000, 100)),
        chat(3, 2, "gpt-4o", used(1_000, 100)),
    ];
    assert_eq!(totals(&spans).await, ONE_CALL);
    // The same answer told of twice, beside each other.
    let told = || [used(1_000, 100), vec![text("gen_ai.response.id", "chatcmpl-1")]].concat();
    let spans = [agent(1, None, Vec::new()), chat(2, 1, "gpt-4o", told()), chat(3, 1, "gpt-4o", told())];
    assert_eq!(totals(&spans).await, ONE_CALL);
}

#[tokio::test(flavor = "multi_thread")]
async fn cached_tokens_and_unknown_models() {
    let cached = |input, key: &str, read| [used(input, 0), vec![int(key, read)]].concat();
    let spans = |more| [agent(1, None, Vec::new()), chat(2, 1, "gpt-4o", more)];
    // 1.25 dollars a million from the cache.
    let inclusive = cached(1_000_000, "gen_ai.usage.cache_read.input_tokens", 800_000);
    assert_eq!(totals(&spans(inclusive)).await, (1_000_000, 0, Some(1.5)));
    let exclusive = cached(200_000, "gen_ai.usage.cache_read_input_tokens", 800_000);
    assert_eq!(totals(&spans(exclusive)).await, (1_000_000, 0, Some(1.5)));
    let unknown = run(&[agent(1, None, Vec::new()), chat(2, 1, "house-model", used(10, 1))]).await.total;
    assert_eq!((unknown.cost, unknown.unpriced), (None, vec!["house-model".to_owned()]));
    // What was reported is believed, and stands beside what was computed.
    let reported = [used(1_000, 100), vec![Attribute::new("model.cost_usd", Value::Double(0.5))]].concat();
    let total = run(&spans(reported)).await.total;
    assert_eq!((total.cost, total.reported, total.computed.is_some()), (Some(0.5), Some(0.5), true));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_failing_leaf() {
    let failed = |mut span: Span| {
        span.status = Status { code: 2, message: format!("{} failed", span.name) };
        span
    };
    let tool = |number| {
        span(
            1,
            number,
            Some(1),
            "tool",
            vec![text("gen_ai.tool.name", "search"), text("error.type", "timeout")],
        )
    };
    let whole = run(&[failed(agent(1, None, Vec::new())), failed(tool(2)), failed(tool(3))]).await;
    let failure = whole.first_failure.unwrap();
    assert_eq!((whole.state, failure.span_id.0[7], failure.failures), (RunState::Failed, 2, 3));
    assert_eq!((failure.message.as_str(), failure.error_type.as_deref()), ("tool failed", Some("timeout")));
    let recovered = run(&[agent(1, None, Vec::new()), failed(tool(2))]).await;
    assert_eq!(recovered.state, RunState::Recovered);
    assert_eq!(run(&[agent(1, None, Vec::new())]).await.state, RunState::Succeeded);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_critical_path_is_what_was_waited_for() {
    let at = |mut span: Span, start: u64, end: u64| {
        (span.start, span.end) = (Timestamp(start), Timestamp(end));
        span
    };
    let tool = |number| span(1, number, Some(1), "tool", vec![text("gen_ai.tool.name", "search")]);
    let spans = [
        at(agent(1, None, Vec::new()), 100, 1_100),
        at(chat(2, 1, "gpt-4o", Vec::new()), 200, 500),
        // Side by side: the one that ends last is waited for.
        at(tool(3), 600, 900),
        at(tool(4), 650, 1_000),
        // Goes on after the parent's end: nobody waits for it.
        at(tool(5), 1_050, 9_000),
    ];
    let path = run(&spans).await.critical_path;
    let sum =
        |part| path.iter().filter(|segment| segment.part == part).map(|segment| segment.length).sum::<u64>();
    assert_eq!((sum(Part::Model), sum(Part::Tool), sum(Part::Gap)), (300, 350 + 50 + 50, 100 + 100 + 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_waits_and_speed() {
    let at = |mut span: Span, start: u64, end: u64, status: i32| {
        (span.start, span.end) = (Timestamp(start * 1_000_000), Timestamp(end * 1_000_000));
        span.status.code = status;
        span
    };
    let tool = |number, name| span(1, number, Some(1), "execute_tool", vec![text("gen_ai.tool.name", name)]);
    let message =
        |number, parent| span(1, number, Some(parent), "orders", vec![text("messaging.system", "kafka")]);
    let first = vec![Attribute::new("gen_ai.response.time_to_first_chunk", Value::Double(0.2))];
    let mut streamed = chat(9, 1, "gpt-4o", used(10, 50));
    streamed.events.push(model::span::Event {
        time: Timestamp(900_000_000),
        name: "First Token Stream Event".to_owned(),
        ..model::span::Event::default()
    });
    let spans = [
        at(agent(1, None, Vec::new()), 0, 10_000, 0),
        // Tried three times; the fourth began before the third had an end, and the last is another tool.
        at(tool(2, "search"), 100, 200, 2),
        at(tool(3, "search"), 250, 300, 2),
        at(tool(4, "search"), 350, 400, 2),
        at(tool(5, "search"), 390, 500, 0),
        at(tool(6, "weather"), 600, 700, 0),
        at(message(7, 1), 1_000, 1_100, 0),
        at(message(8, 7), 1_600, 1_700, 0),
        at(streamed, 500, 1_400, 0),
        at(chat(10, 1, "gpt-4o", [used(10, 90), first].concat()), 2_000, 3_200, 0),
        at(span(1, 11, Some(1), "ask", vec![text("approval.id", "a-1")]), 4_000, 9_000, 0),
    ];
    let run = run(&spans).await;
    let retries: Vec<_> = run.retries.iter().map(|retry| (retry.span_id.0[7], retry.of.0[7])).collect();
    assert_eq!(retries, [(3, 2), (4, 3)]);
    assert_eq!((run.waits.approval, run.waits.queue), (5_000_000_000, 500_000_000));
    let speed = |number: u64| {
        let call = run.calls.iter().find(|call| call.span_id == SpanId(number.to_be_bytes())).unwrap();
        (call.time_to_first_token, call.tokens_per_second().map(f64::round))
    };
    assert_eq!(speed(9), (Some(0.4), Some(100.0)));
    assert_eq!(speed(10), (Some(0.2), Some(90.0)));
}

fn tree() -> impl Strategy<Value = Vec<(u64, u64, u64)>> {
    proptest::collection::vec((any::<u64>(), 0..2_000u64, 0..900u64), 1..40)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    #[test]
    fn the_critical_path_is_as_long_as_the_root(tree in tree()) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let mut spans = vec![agent(1, None, Vec::new())];
            (spans[0].start, spans[0].end) = (Timestamp(500), Timestamp(2_500));
            for (number, (parent, start, length)) in (2u64..).zip(tree) {
                let mut child = chat(number, parent % (number - 1) + 1, "gpt-4o", Vec::new());
                (child.start, child.end) = (Timestamp(start), Timestamp(start + length));
                spans.push(child);
            }
            let path = run(&spans).await.critical_path;
            assert_eq!(path.iter().map(|segment| segment.length).sum::<u64>(), 2_000);
            let ends = path.iter().map(|segment| segment.start.0 + segment.length);
            let starts = path.iter().map(|segment| segment.start.0).chain([2_500]);
            assert!(ends.zip(starts.skip(1)).all(|(end, next)| end == next), "{path:?}");
        });
    }
}

/// Attributes by any names that the table has, with values of any type.
fn spoken() -> impl Strategy<Value = Vec<Attribute>> {
    let keys: Vec<&'static str> = semconv::Meaning::ALL
        .into_iter()
        .flat_map(|meaning| meaning.needed_keys().collect::<Vec<_>>())
        .collect();
    const WORDS: [&str; 11] =
        ["", "chat", "CHAIN", "AGENT", "{}", "<REDACTED>", "{\"total\":1e400}", "-5", "NaN", "openai", "[1"];
    let value = prop_oneof![
        prop::sample::select(WORDS.as_slice()).prop_map(|word| Value::String(word.to_owned())),
        ".*".prop_map(Value::String),
        any::<i64>().prop_map(Value::Int),
        any::<f64>().prop_map(Value::Double),
        any::<bool>().prop_map(Value::Bool),
        any::<Vec<i64>>().prop_map(|list| Value::Array(list.into_iter().map(Value::Int).collect())),
        Just(Value::Map(vec![int("total", i64::MAX)])),
        Just(Value::Empty),
    ];
    let keys = prop::sample::subsequence(keys, 0..12).prop_shuffle();
    (keys, prop::collection::vec(value, 12)).prop_map(|(keys, values)| {
        keys.into_iter().zip(values).map(|(key, value)| Attribute::new(key, value)).collect()
    })
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(24))]
    /// Understanding reads: whatever is sent is understood without panic, and stays exactly as it was sent.
    #[test]
    fn what_was_sent_stays_as_it_was(sent in prop::collection::vec(spoken(), 1..8)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(async {
            let fixture = Fixture::new().await;
            let of = |(number, attributes): (u64, &Vec<Attribute>)| {
                span(1, number, (number > 1).then_some(number / 2), "any", attributes.clone())
            };
            let spans: Vec<Span> = (1..).zip(&sent).map(of).collect();
            fixture.send(&spans).await;
            for sealed in [false, true] {
                if sealed {
                    fixture.storage.seal().await.unwrap();
                }
                let (tenant, trace) = (TenantId::default(), TraceId([1; 16]));
                let run = fixture.engine.run(&tenant, trace).await.unwrap().unwrap();
                assert_eq!(fixture.engine.run(&tenant, trace).await.unwrap().unwrap().total, run.total);
                let sorted = |mut attributes: Vec<Attribute>| {
                    attributes.sort_by(|left, right| left.key.cmp(&right.key));
                    attributes
                };
                let kept = fixture.engine.spans(&tenant, trace, None).await.unwrap();
                for (span, sent) in kept.items.into_iter().zip(&sent) {
                    assert_eq!(sorted(span.attributes), sorted(sent.clone()));
                }
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_over_several_traces() {
    let fixture = Fixture::new().await;
    for trace in 1..=3u8 {
        let of = |mut span: Span| {
            span.trace_id = TraceId([trace; 16]);
            span
        };
        let conversation = vec![text("gen_ai.conversation.id", "talk"), text("user.id", "ann")];
        let policy = vec![
            text("policy.id", "spend"),
            text("policy.decision", if trace == 2 { "deny" } else { "allow" }),
        ];
        let call = vec![text("mcp.method.name", "tools/call"), text("gen_ai.tool.name", "search")];
        let served = Span { kind: 2, ..span(1, 5, Some(3), "tools/call search", call) };
        let spans = [
            agent(1, None, [conversation, used(9_000, 900)].concat()),
            chat(2, 1, "gpt-4o", used(1_000, 100)),
            span(1, 3, Some(1), "tool", vec![text("tool.name", "search")]),
            span(1, 4, Some(1), "policy", policy),
            served,
        ];
        fixture.send(&spans.map(of)).await;
        if trace == 1 {
            fixture.storage.seal().await.unwrap();
        }
    }
    let one = async |kind, name: &str| {
        let request = EntitiesRequest {
            kind,
            name: Some(name.to_owned()),
            filter: Expression::All,
            range: TimeRange::ALL,
            limit: 10,
            deadline: Deadline::default(),
        };
        let found = fixture.engine.entities(&TenantId::default(), request).await.unwrap();
        assert!(found.complete && found.entities.len() <= 1, "{kind:?} {name}: {found:?}");
        found.entities.into_iter().next().unwrap_or_default()
    };
    let check = async |kind, name, spans, calls, input| {
        let found = one(kind, name).await;
        let series: u64 = found.series.iter().map(|part| part.spans).sum();
        assert_eq!((found.spans, found.traces, series), (spans, 3, spans), "{kind:?} {name}");
        assert_eq!((found.account.calls, found.account.usage.input), (calls, input), "{kind:?} {name}");
    };
    check(EntityKind::Agent, "planner", 3, 3, 3_000).await;
    check(EntityKind::Model, "gpt-4o", 3, 3, 3_000).await;
    // The span of the server that the tool is on is the same call.
    check(EntityKind::Tool, "search", 3, 0, 0).await;
    check(EntityKind::Conversation, "talk", 15, 3, 3_000).await;
    check(EntityKind::User, "ann", 15, 3, 3_000).await;
    check(EntityKind::Policy, "spend", 3, 0, 0).await;
    let decisions = one(EntityKind::Policy, "spend").await.decisions;
    assert!(decisions.contains(&("deny".to_owned(), 1)) && decisions.contains(&("allow".to_owned(), 2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_spelling_finds_the_span() {
    let fixture = Fixture::new().await;
    let reasons = Value::Array(vec![Value::String("stop".to_owned())]);
    let attributes = vec![
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "gpt-4o"),
        Attribute::new("gen_ai.request.temperature", Value::Double(0.7)),
        int("gen_ai.request.max_tokens", 256),
        int("gen_ai.usage.input_tokens", 150),
        int("gen_ai.usage.output_tokens", 200),
        Attribute::new("gen_ai.response.finish_reasons", reasons),
        text("http.method", "POST"),
        text("db.name", "orders"),
        text("messaging.destination", "events"),
    ];
    fixture.send(&[span(1, 1, None, "one", attributes), span(2, 1, None, "two", Vec::new())]).await;
    for sealed in [false, true] {
        if sealed {
            fixture.storage.seal().await.unwrap();
        }
        for query in [
            "gen_ai.system:=openai",
            "gen_ai.provider.name:=openai",
            "gen_ai.request.model:=gpt-4o",
            "gen_ai.request.temperature:=0.7",
            "gen_ai.request.max_tokens:=256",
            "gen_ai.usage.input_tokens:=150",
            "gen_ai.usage.output_tokens:=200",
            "gen_ai.response.finish_reason:=stop",
            "llm.model:=gpt-4o",
            "model.name:=gpt-4o",
            "model.tokens_input:=150",
            "http.request.method:=POST",
            "db.namespace:=orders",
            "messaging.destination.name:=events",
        ] {
            assert_eq!(fixture.search(query).await, ["one"], "{query} {sealed}");
        }
        assert!(fixture.search("model.name:=gpt-4o-mini").await.is_empty());
    }
}
