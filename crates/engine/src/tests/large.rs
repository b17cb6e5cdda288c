//! Prompts of megabytes beside small spans, and traces of many spans: everything answers, in bounded parts.

use super::{Fixture, question, span, text};
use crate::EngineOptions;
use crate::admission::Admission;
use crate::export::Exporter;
use crate::scan::{Scanner, Source, Wanted};
use futures::StreamExt;
use model::{Kind, LogRecord, Signal, Span, TenantId, TimeRange, Timestamp, TraceId, Value, otlp};
use query::{Deadline, ExportRequest, Expression, LogRequest, filter};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const MEBIBYTE: usize = 1 << 20;
/// No batch is larger: what is aimed at, and one value.
const BATCH_BYTES: usize = 60 * MEBIBYTE;

/// A text that does not shrink to nothing.
fn prompt(number: u64, bytes: usize) -> String {
    let mut text = String::with_capacity(bytes + 32);
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    while text.len() < bytes {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        text.push_str(&format!("w{} and ", state >> 44));
    }
    text.push_str(&format!("needle{number}"));
    text
}

/// Calls with prompts of a mebibyte, some of twenty, and many small spans beside them.
async fn send(fixture: &Fixture) -> usize {
    let mut sent = 0;
    for number in 0..60u64 {
        let bytes = if number % 30 == 7 { 20 * MEBIBYTE } else { MEBIBYTE };
        let asked = vec![text("gen_ai.prompt.text", &prompt(number, bytes))];
        let mut spans = vec![span(1, 1_000 * number + 1, None, "chat", asked)];
        spans.extend((2..40).map(|small| span(1, 1_000 * number + small, None, "step", vec![])));
        sent += spans.len();
        fixture.send(&spans).await;
    }
    sent
}

fn wanted(filter: &Expression) -> Wanted<'_> {
    Wanted { signal: Signal::Traces, filter, range: TimeRange::ALL }
}

#[tokio::test(flavor = "multi_thread")]
async fn batches_are_bounded_by_their_bytes() {
    let fixture = Fixture::new().await;
    let sent = send(&fixture).await;
    fixture.storage.seal().await.unwrap();
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Traces);
    let (scanner, question) = (Scanner::new().unwrap(), question().await);
    for (text, expect) in [("", sent), ("needle13", 1), ("*needle1*", 11), ("name:step", sent - 60)] {
        let filter = filter::parse(text).unwrap();
        let mut rows = 0;
        for block in &snapshot.blocks {
            let source = Source::Block(Arc::clone(block), None);
            let mut scan = scanner.open(&question, &source, wanted(&filter), None).await.unwrap();
            while let Some(batch) = scan.next().await.unwrap() {
                assert!(batch.get_array_memory_size() < BATCH_BYTES, "{}", batch.get_array_memory_size());
                rows += batch.num_rows();
            }
        }
        assert_eq!(rows, expect, "{text:?}");
    }
    let read = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&read);
    let take = move |batch: arrow::array::RecordBatch| {
        seen.lock().unwrap().push((batch.num_rows(), batch.get_array_memory_size()));
        true
    };
    snapshot.blocks[0].visit_trace(TraceId([1; 16]), None, None, take).await.unwrap();
    let read = read.lock().unwrap();
    assert_eq!(read.iter().map(|(rows, _)| rows).sum::<usize>(), sent);
    assert!(read.iter().all(|(_, bytes)| *bytes < BATCH_BYTES), "{read:?}");
    assert_eq!(fixture.storage.usage().damaged_blocks, 0);
}

pub(super) async fn exported(fixture: &Fixture, signal: Signal) -> usize {
    let request = ExportRequest { signal, filter: Expression::All, range: TimeRange::ALL };
    let mut export = fixture.engine.export(&TenantId::default(), request).await.unwrap();
    assert_eq!(export.incomplete, None);
    let mut items = 0;
    while let Some(wire) = export.requests.next().await {
        let wire = wire.unwrap();
        assert!(wire.len() < 24 * MEBIBYTE, "{}", wire.len());
        let batch = otlp::decode(TenantId::default(), signal, model::batch::Encoding::Protobuf, wire.into());
        items += batch.unwrap().columns.iter().map(arrow::array::RecordBatch::num_rows).sum::<usize>();
    }
    items
}

#[tokio::test(flavor = "multi_thread")]
async fn large_prompts_are_found_drawn_and_exported() {
    let fixture = Fixture::new().await;
    let sent = send(&fixture).await;
    let (tenant, trace) = (TenantId::default(), TraceId([1; 16]));
    for sealed in [false, true] {
        if sealed {
            fixture.storage.seal().await.unwrap();
        }
        assert_eq!(fixture.search("needle37").await.len(), 1, "{sealed}");
        assert_eq!(fixture.search("needle99").await.len(), 0, "{sealed}");
        let skeleton = fixture.engine.skeleton(&tenant, trace).await.unwrap().unwrap();
        assert_eq!((skeleton.rows.len(), skeleton.incomplete.clone()), (sent, None));
        drop(skeleton);
        assert_eq!(exported(&fixture, Signal::Traces).await, sent, "{sealed}");
        // More than an answer may hold: the first are told, and that there are more.
        let all = fixture.engine.spans(&tenant, trace, None).await.unwrap();
        assert!(all.items.len() > 39 && all.items.len() < sent, "{}", all.items.len());
        assert!(all.items.is_sorted_by_key(|span: &Span| span.start));
        assert!(all.incomplete.as_ref().unwrap().contains("only the first"));
        // An answer that holds much lets the next such wait until it is gone.
        drop(all);
        let only = [model::SpanId(37_001u64.to_be_bytes())];
        let one = fixture.engine.spans(&tenant, trace, Some(&only)).await.unwrap();
        let Value::String(text) = &one.items[0].attributes[0].value else { panic!("a prompt is a text") };
        assert_eq!((text.len() >= 20 * MEBIBYTE, one.incomplete), (true, None));
    }
    assert_eq!(fixture.storage.usage().damaged_blocks, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_log_records_stop_at_a_bound_and_say_so() {
    let fixture = Fixture::with(EngineOptions { memory_bytes: 64 << 20 }).await;
    let record = |number: u64| LogRecord {
        time: Timestamp(1_000 + number),
        trace_id: Some(TraceId([1; 16])),
        body: Some(Value::String(prompt(number, MEBIBYTE))),
        ..LogRecord::default()
    };
    for number in 0..20 {
        fixture.send_logs(&[record(number)]).await;
    }
    fixture.storage.seal().await.unwrap();
    let request = |trace_id, limit| LogRequest {
        trace_id,
        span_id: None,
        filter: Expression::All,
        range: TimeRange::ALL,
        limit,
        deadline: Deadline::default(),
    };
    let times = async |trace_id, limit| {
        let found = fixture.engine.logs(&TenantId::default(), request(trace_id, limit)).await.unwrap();
        let times: Vec<u64> = found.records.iter().map(|record| record.time.0).collect();
        (times, found.complete, found.incomplete.is_some())
    };
    assert_eq!(times(None, 2).await, (vec![1_019, 1_018], false, false));
    let (newest, complete, bounded) = times(None, 20).await;
    assert_eq!((newest.first(), complete, bounded), (Some(&1_019), false, true));
    assert!(newest.len() < 20 && newest.len() > 4, "{newest:?}");
    let (oldest, complete, bounded) = times(Some(TraceId([1; 16])), 20).await;
    assert_eq!((oldest.first(), complete, bounded), (Some(&1_000), false, true));
    assert_eq!(exported(&fixture, Signal::Logs).await, 20);
}

/// A trace of so many small spans.
async fn wide(fixture: &Fixture, trace: u8, spans: u64) {
    for part in 0..spans / 5_000 {
        let numbers = part * 5_000 + 1..part * 5_000 + 5_001;
        let some: Vec<Span> = numbers.map(|number| span(trace, number, Some(1), "step", vec![])).collect();
        fixture.send(&some).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn large_traces_wait_for_each_other_and_too_large_ones_are_refused() {
    // Of these, a question may have 24 MiB.
    let fixture = Fixture::with(EngineOptions { memory_bytes: 32 << 20 }).await;
    wide(&fixture, 1, 20_000).await;
    fixture.storage.seal().await.unwrap();
    wide(&fixture, 2, 200_000).await;
    let tenant = TenantId::default();
    let asking = (0..3).map(|_| fixture.engine.skeleton(&tenant, TraceId([1; 16])));
    for drawn in futures::future::join_all(
        asking.map(async |asked| asked.await.map(|drawn| drawn.unwrap().rows.len())),
    )
    .await
    {
        assert_eq!(drawn.unwrap(), 20_000);
    }
    let refused = fixture.engine.skeleton(&tenant, TraceId([2; 16])).await.unwrap_err();
    assert_eq!(refused.kind(), Kind::Busy);
    assert!(refused.to_string().contains("24 MiB"), "{refused}");
    // Others are answered as before, also beside it.
    let request = query::SearchRequest {
        filter: Expression::All,
        range: TimeRange::ALL,
        limit: 10,
        cursor: None,
        deadline: Deadline::default(),
    };
    let found = fixture.engine.search(&tenant, request).await.unwrap();
    assert_eq!(found.traces.iter().map(|trace| trace.spans).collect::<Vec<_>>(), [20_000]);
    assert!(found.incomplete.unwrap().contains("is left out"));
    let first = [model::SpanId(1u64.to_be_bytes())];
    assert_eq!(fixture.engine.spans(&tenant, TraceId([2; 16]), Some(&first)).await.unwrap().items.len(), 1);
}

/// What the process has in memory, or had at most since that was forgotten; nothing where the system does not say.
fn memory(name: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: usize = line.trim_start_matches(':').trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes << 10)
}

/// Twelve ask at once for all that there is of a trace of 200,000 spans; some may be refused, in time.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "measures its process: the test below runs it in one of its own"]
async fn asked_by_twelve() {
    let fixture = Fixture::new().await;
    wide(&fixture, 1, 200_000).await;
    fixture.storage.seal().await.unwrap();
    let before = memory("VmRSS");
    // Forgets the peak so far.
    drop(std::fs::write("/proc/self/clear_refs", "5"));
    let (tenant, trace) = (TenantId::default(), TraceId([1; 16]));
    let asking = (0..12).map(async |asker| match asker % 4 {
        0 => fixture.engine.run(&tenant, trace).await.map(drop),
        1 => fixture.engine.summaries(&tenant, &[trace]).await.map(drop),
        2 => fixture.engine.spans(&tenant, trace, None).await.map(drop),
        _ => fixture.engine.skeleton(&tenant, trace).await.map(drop),
    });
    let answers = futures::future::join_all(asking).await;
    let refused = answers.iter().filter_map(|answer| answer.as_ref().err());
    refused.for_each(|error| assert_eq!(error.kind(), Kind::Busy, "{error}"));
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 4);
    if let (Some(before), Some(peak)) = (before, memory("VmHWM")) {
        println!("grown by {}", peak.saturating_sub(before));
    }
}

#[test]
fn many_who_ask_for_a_large_trace_stay_within_memory() {
    let measured = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "tests::large::asked_by_twelve", "--ignored", "--nocapture"])
        // Else glibc keeps what was freed once for each thread, by the number of processors.
        .env("MALLOC_ARENA_MAX", "2")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&measured.stdout);
    assert!(measured.status.success(), "{said}");
    let grown = said.lines().find_map(|line| line.split("grown by ").nth(1)?.trim().parse::<usize>().ok());
    assert!(grown.is_none_or(|grown| grown < 512 * MEBIBYTE), "{grown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_is_given_up() {
    let fixture = Fixture::new().await;
    for trace in 1..=5 {
        fixture.send(&[span(trace, 1, None, "run", vec![])]).await;
        fixture.storage.seal().await.unwrap();
    }
    let admission = Admission::new(EngineOptions::default());
    let request = ExportRequest { signal: Signal::Traces, filter: Expression::All, range: TimeRange::ALL };
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Traces);
    let question = admission.export().unwrap();
    let (mut exporter, requests) =
        Exporter::new(Scanner::new().unwrap(), question, Arc::clone(&snapshot), request);
    exporter.patience = Duration::from_millis(20);
    let before = Arc::strong_count(&snapshot);
    exporter.run().await;
    // It holds nothing any more, and what was given is known not to be all.
    assert!(Arc::strong_count(&snapshot) < before);
    assert!(admission.export().is_ok());
    let given: Vec<_> = requests.collect().await;
    assert_eq!(given.iter().map(Result::is_ok).collect::<Vec<_>>(), [true, true, false]);
}
