//! Recorded events become runs, whatever way they arrive.

use super::session::Sessions;
use model::batch::Encoding;
use model::{LogRecord, Signal, Span, SpanId, TenantId, Timestamp, Value, otlp};
use proptest::prelude::{any, prop, proptest};
use std::collections::BTreeMap;

const CLAUDE_CODE: &str = include_str!("../../../../e2e/corpus/payloads/claude_code.logs.jsonl");
const WITH_HELPER: &str = include_str!("../../../../e2e/corpus/payloads/claude_code_agents.logs.jsonl");
const CODEX: &str = include_str!("../../../../e2e/corpus/payloads/codex.logs.jsonl");
const GEMINI_CLI: &str = include_str!("../../../../e2e/corpus/payloads/gemini_cli.logs.jsonl");

fn records(payload: &str) -> Vec<LogRecord> {
    let decode = |line: &str| {
        let batch =
            otlp::decode(TenantId::default(), Signal::Logs, Encoding::Json, line.to_owned().into()).unwrap();
        batch.columns.iter().flat_map(otlp::log_records).collect::<Vec<_>>()
    };
    payload.lines().flat_map(decode).collect()
}

/// As an agent sends them that sends no spans.
fn untraced(payload: &str) -> Vec<LogRecord> {
    records(payload).into_iter().map(|record| LogRecord { trace_id: None, span_id: None, ..record }).collect()
}

/// What is stored in the end when records arrive in these batches: of spans sent again, those that ended last.
fn stored(batches: impl IntoIterator<Item = Vec<LogRecord>>) -> BTreeMap<SpanId, Span> {
    let mut sessions = Sessions::default();
    let mut stored: BTreeMap<SpanId, Span> = BTreeMap::new();
    for batch in batches {
        for span in sessions.take(&TenantId::default(), batch) {
            match stored.get(&span.span_id) {
                Some(known) if known.end > span.end => {}
                _ => drop(stored.insert(span.span_id, span)),
            }
        }
    }
    stored
}

fn number(span: &Span, key: &str) -> Option<i64> {
    match &span.attributes.iter().find(|attribute| attribute.key == key)?.value {
        Value::Int(number) => Some(*number),
        _ => None,
    }
}

fn tokens(spans: &BTreeMap<SpanId, Span>) -> [i64; 3] {
    ["gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens", "gen_ai.usage.cache_read.input_tokens"]
        .map(|key| spans.values().filter_map(|span| number(span, key)).sum())
}

fn names(spans: &BTreeMap<SpanId, Span>) -> Vec<(String, Option<String>)> {
    let parent = |span: &Span| Some(spans.get(&span.parent_span_id?)?.name.clone());
    let mut names: Vec<_> =
        spans.values().map(|span| (span.start, span.name.clone(), parent(span))).collect();
    names.sort();
    names.into_iter().map(|(_, name, parent)| (name, parent)).collect()
}

#[test]
fn events_become_a_run() {
    let check = |payload: &str, agent: &str, model: &str, tool: &str, used: [i64; 3]| {
        let spans = stored([untraced(payload)]);
        assert_eq!(tokens(&spans), used, "{agent}");
        let root = format!("invoke_agent {agent}");
        let found = names(&spans);
        let count = |name: String| found.iter().filter(|(known, _)| *known == name).count();
        assert_eq!((count(root.clone()), count(format!("chat {model}"))), (1, 2), "{found:?}");
        assert_eq!(count(format!("execute_tool {tool}")), 1, "{found:?}");
        assert!(
            found.iter().all(|(name, parent)| *name == root || parent.as_ref() == Some(&root)),
            "{found:?}"
        );
        let first = spans.values().find(|span| span.parent_span_id.is_none()).unwrap();
        assert!(spans.values().all(|span| span.start >= first.start && span.end <= first.end), "{agent}");
        let asked = &first
            .attributes
            .iter()
            .find(|attribute| attribute.key == "gen_ai.input.messages")
            .unwrap()
            .value;
        assert!(asked.as_str().unwrap().contains("How is the weather in Paris?"), "{agent}");
    };
    check(CLAUDE_CODE, "claude-code", "claude-sonnet-4-5", "Bash", [2_272, 80, 2_048]);
    check(CODEX, "codex", "gpt-5", "exec_command", [2_400, 80, 2_048]);
    // Its thoughts come on top of its output.
    check(GEMINI_CLI, "gemini-cli", "gemini-2.5-pro", "run_shell_command", [2_400, 112, 2_048]);
}

#[test]
fn helpers_work_for_the_agent() {
    let found = names(&stored([untraced(WITH_HELPER)]));
    let helper = Some("invoke_agent general-purpose".to_owned());
    assert!(
        found.contains(&(
            "invoke_agent general-purpose".to_owned(),
            Some("invoke_agent claude-code".to_owned())
        ))
    );
    assert!(found.contains(&("execute_tool Bash".to_owned(), helper.clone())));
    assert_eq!(
        found.iter().filter(|(name, parent)| name.starts_with("chat ") && *parent == helper).count(),
        2
    );
}

#[test]
fn what_sends_spans_is_left_alone() {
    assert!(stored([records(WITH_HELPER)]).is_empty());
    assert!(stored([records(GEMINI_CLI)]).is_empty());
}

#[test]
fn an_end_that_is_a_failure_fails_the_run() {
    let mut events = untraced(CLAUDE_CODE);
    let failed =
        events.iter_mut().rfind(|record| record.attributes.iter().any(|one| one.key == "cost_usd")).unwrap();
    for attribute in &mut failed.attributes {
        if attribute.key == "event.name" {
            attribute.value = Value::String("api_error".to_owned());
        }
    }
    failed.attributes.push(model::Attribute::new("status_code", Value::Int(529)));
    failed.attributes.push(model::Attribute::new("error", Value::String("overloaded".to_owned())));
    let spans = stored([events]);
    let failed: Vec<_> =
        spans.values().filter(|span| span.status.code == 2).map(|span| span.name.as_str()).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    let call = spans.values().find(|span| span.status.message == "overloaded").unwrap();
    let kind = call.attributes.iter().find(|attribute| attribute.key == "error.type").unwrap();
    assert_eq!(kind.value.as_str(), Some("529"));
}

#[test]
fn memory_has_a_bound() {
    let one = untraced(CLAUDE_CODE);
    let mut sessions = Sessions::default();
    for number in 0..5_000u64 {
        let mut events = one.clone();
        for event in &mut events {
            event.time = Timestamp(event.time.0 + number);
            for attribute in &mut event.attributes {
                if attribute.key == "session.id" {
                    attribute.value = Value::String(format!("session {number}"));
                }
            }
        }
        assert!(!sessions.take(&TenantId::default(), events).is_empty());
    }
    assert!((3_072..=4_096).contains(&sessions.remembered()), "{}", sessions.remembered());
}

proptest! {
    /// Nothing panics, and what is made decodes, whatever the values are.
    #[test]
    fn hostile_events(places in prop::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u64>()), 1..20)) {
        for payload in [CLAUDE_CODE, WITH_HELPER, CODEX, GEMINI_CLI] {
            let mut events = untraced(payload);
            for (record, attribute, seed) in &places {
                let mut record = record.get(&events).clone();
                let count = record.attributes.len();
                if count > 0 {
                    record.attributes[attribute.index(count)].value = match seed % 6 {
                        0 => Value::Int(seed.cast_signed()),
                        1 => Value::Double(f64::from_bits(*seed)),
                        2 => Value::String(format!("{}e{}", seed % 10, seed % 999)),
                        3 => Value::Empty,
                        4 => Value::Map(Vec::new()),
                        _ => Value::String("\u{0}\u{202e}".repeat((seed % 50) as usize)),
                    };
                }
                record.time = Timestamp(if seed % 7 == 0 { *seed } else { record.time.0 });
                events.push(record);
            }
            let spans: Vec<Span> = stored([events]).into_values().collect();
            let wire = otlp::encode_spans(&spans).into();
            let batch = otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire).unwrap();
            assert_eq!(batch.rejected.count, 0, "{:?}", batch.rejected);
        }
    }

    #[test]
    fn however_events_arrive(cuts: Vec<bool>, twice in any::<prop::sample::Index>()) {
        for payload in [CLAUDE_CODE, WITH_HELPER, CODEX, GEMINI_CLI] {
            let events = untraced(payload);
            let whole = stored([events.clone()]);
            let mut batches = vec![Vec::new()];
            for (place, event) in events.iter().enumerate() {
                batches.last_mut().unwrap().push(event.clone());
                if cuts.get(place) == Some(&true) {
                    batches.push(Vec::new());
                }
            }
            // A client that got no answer sends a batch again.
            batches.push(twice.get(&batches).clone());
            assert!(stored(batches) == whole, "other spans: {cuts:?} {twice:?}");
        }
    }
}
