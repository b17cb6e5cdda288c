//! Blocks that are made of others have the same rows.

use super::{Open, batch, files, options, read, span};
use crate::{Options, Storage};
use arrow::record_batch::RecordBatch;
use model::batch::Encoding;
use model::{
    Attribute, Batch, LogRecord, Signal, Span, SpanId, TenantId, Timestamp, TraceId, Value,
    metric::MetricPoint, metric::Number, otlp,
};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

/// Attributes that differ from number to number: in keys, types and rarity.
fn attributes(number: u8) -> Vec<Attribute> {
    let kinds = [
        Attribute::new("always", Value::String(format!("value {number}"))),
        Attribute::new(format!("rare.{number}"), Value::Int(i64::from(number))),
        match number % 3 {
            0 => Attribute::new("mixed", Value::Int(i64::MAX)),
            1 => Attribute::new("mixed", Value::Double(f64::NAN)),
            _ => Attribute::new("mixed", Value::Array(vec![Value::Bytes(vec![number]), Value::Empty])),
        },
        Attribute::new("long", Value::String(format!("{number}").repeat(usize::from(number) * 40))),
    ];
    kinds.into_iter().take(1 + usize::from(number % 4)).collect()
}

pub(super) fn request(signal: Signal, numbers: std::ops::Range<u8>) -> Batch {
    let trace = |number: u8| TraceId([number % 5 + 1; 16]);
    let time = |number: u8| Timestamp(5_000 - u64::from(number) * 10);
    let wire = match signal {
        Signal::Traces => {
            let span = |number| Span {
                trace_id: trace(number),
                start: time(number),
                attributes: attributes(number),
                ..span(1, number, 9_000)
            };
            otlp::encode_spans(&numbers.map(span).collect::<Vec<_>>())
        }
        Signal::Logs => {
            let record = |number: u8| LogRecord {
                trace_id: (!number.is_multiple_of(3)).then(|| trace(number)),
                time: time(number),
                body: Some(Value::String(format!("line {number}"))),
                attributes: attributes(number),
                ..LogRecord::default()
            };
            otlp::encode_log_records(&numbers.map(record).collect::<Vec<_>>())
        }
        Signal::Metrics => {
            let point = |number: u8| MetricPoint {
                name: format!("metric.{}", number % 7),
                time: time(number),
                number: Some(Number::Double(f64::from(number))),
                attributes: attributes(number),
                ..MetricPoint::default()
            };
            otlp::encode_metric_points(&numbers.map(point).collect::<Vec<_>>())
        }
    };
    otlp::decode(TenantId::default(), signal, Encoding::Protobuf, wire.into()).unwrap()
}

/// All rows of all blocks, block after block.
async fn rows(storage: &Storage, signal: Signal) -> Vec<RecordBatch> {
    let snapshot = storage.snapshot(&TenantId::default(), signal);
    assert!(snapshot.hot.is_empty());
    let mut rows = Vec::new();
    for block in &snapshot.blocks {
        let file = block.read(std::iter::once(0..block.bytes()).collect()).await.unwrap().remove(0);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).unwrap().build().unwrap();
        rows.extend(reader.map(Result::unwrap));
    }
    rows
}

/// Rows as text, in the order of the block, attributes sorted.
pub(super) async fn texts(storage: &Storage, signal: Signal) -> Vec<String> {
    let sorted = |mut attributes: Vec<Attribute>| {
        attributes.sort_by(|left, right| left.key.cmp(&right.key));
        attributes
    };
    let text = |batch: RecordBatch| -> Vec<String> {
        match signal {
            Signal::Traces => otlp::spans(&batch)
                .into_iter()
                .map(|span| format!("{:?}", Span { attributes: sorted(span.attributes.clone()), ..span }))
                .collect(),
            Signal::Logs => otlp::log_records(&batch)
                .into_iter()
                .map(|record| {
                    format!("{:?}", LogRecord { attributes: sorted(record.attributes.clone()), ..record })
                })
                .collect(),
            Signal::Metrics => otlp::metric_points(&batch)
                .into_iter()
                .map(|point| {
                    format!("{:?}", MetricPoint { attributes: sorted(point.attributes.clone()), ..point })
                })
                .collect(),
        }
    };
    rows(storage, signal).await.into_iter().flat_map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn compacting_changes_no_row() {
    for signal in Signal::ALL {
        let directory = tempfile::tempdir().unwrap();
        let open = Open::new(options(directory.path())).await;
        for first in 0..5u8 {
            open.storage.append(request(signal, first * 40 + 1..first * 40 + 41)).await.unwrap();
            open.storage.seal().await.unwrap();
        }
        let mut apart = texts(&open.storage, signal).await;
        assert_eq!((apart.len(), open.storage.usage().blocks), (200, 5), "{signal}");
        open.storage.compact().await.unwrap();
        let together = texts(&open.storage, signal).await;
        assert_eq!(open.storage.usage().blocks, 1, "{signal}");

        // As if all had been sealed at once.
        let other = tempfile::tempdir().unwrap();
        let at_once = Open::new(options(other.path())).await;
        at_once.storage.append(request(signal, 1..201)).await.unwrap();
        at_once.storage.seal().await.unwrap();
        assert_eq!(together, texts(&at_once.storage, signal).await, "{signal}");
        at_once.stop().await;

        let mut sorted = together;
        apart.sort_unstable();
        sorted.sort_unstable();
        assert_eq!(apart, sorted, "{signal}");
        open.stop().await;
        // The order and the statistics are in the catalog.
        let open = Open::new(options(directory.path())).await;
        let snapshot = open.storage.snapshot(&TenantId::default(), signal);
        assert_eq!(snapshot.blocks.iter().map(|block| block.statistics().rows).sum::<u64>(), 200);
        open.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn compacting_leaves_the_latest_of_each_span() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    for end in [1_500, 1_900, 1_700] {
        open.storage.append(batch(&[span(1, 1, end), span(1, 2, 1_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    open.storage.compact().await.unwrap();
    let snapshot = open.storage.snapshot(&TenantId::default(), Signal::Traces);
    assert_eq!(snapshot.blocks[0].statistics().rows, 2);
    assert_eq!(read(&open.storage, 1).await.get(&SpanId([1; 8])), Some(&1_900));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_small_blocks_become_few_by_themselves() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    for number in 1..=16 {
        open.storage.append(batch(&[span(number, 1, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while open.storage.usage().blocks > 1 {
        assert!(std::time::Instant::now() < deadline, "{:?}", open.storage.usage());
        tokio::task::yield_now().await;
    }
    for number in 1..=16 {
        assert_eq!(read(&open.storage, number).await.len(), 1);
    }
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_block_is_named_and_left_out_of_compaction() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    for number in 1..=3 {
        open.storage.append(batch(&[span(number, 1, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    let snapshot = open.storage.snapshot(&TenantId::default(), Signal::Traces);
    let path = snapshot.blocks[0].name();
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let error = open.storage.compact().await.unwrap_err().to_string();
    assert!(error.contains(&path), "{error}");
    open.storage.compact().await.unwrap();
    assert_eq!((read(&open.storage, 1).await.len(), read(&open.storage, 2).await.len()), (0, 1));
    let usage = open.storage.usage();
    assert_eq!((usage.blocks, usage.damaged_blocks), (2, 1));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_deletion_is_ended_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    open.storage.append(batch(&[span(1, 1, 2_000), span(2, 1, 2_000)])).await.unwrap();
    open.storage.seal().await.unwrap();
    open.storage.store.catalog.begin_deletion(&TenantId::default(), Some(TraceId([1; 16]))).await.unwrap();
    open.crash().await;
    let open = Open::new(Options { seal_age: std::time::Duration::ZERO, ..options(directory.path()) }).await;
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !open.storage.store.catalog.deletions().await.unwrap().is_empty() {
        assert!(std::time::Instant::now() < deadline, "the deletion did not end");
        tokio::task::yield_now().await;
    }
    assert!(read(&open.storage, 1).await.is_empty());
    assert_eq!(read(&open.storage, 2).await.len(), 1);
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_of_a_tenant_is_deleted_and_nothing_of_others() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    let other = TenantId::new("other").unwrap();
    for number in 1..5 {
        open.storage.append(batch(&[span(number, 1, 2_000)])).await.unwrap();
        let foreign = Batch { tenant: other.clone(), ..batch(&[span(number, 1, 2_000)]) };
        open.storage.append(foreign).await.unwrap();
        if number == 2 {
            open.storage.seal().await.unwrap();
        }
    }
    let deleted = open.storage.delete_everything(&other).await.unwrap();
    assert_eq!(deleted.spans, 4);
    let snapshot = |tenant: &TenantId| open.storage.snapshot(tenant, model::Signal::Traces);
    assert!(snapshot(&other).blocks.is_empty() && snapshot(&other).hot.is_empty());
    let files = files(&directory.path().join("blocks/other/traces"));
    assert_eq!(files, 0);
    for number in 1..5 {
        assert_eq!(read(&open.storage, number).await.len(), 1);
    }
    open.stop().await;
    let open = Open::new(options(directory.path())).await;
    assert!(open.storage.snapshot(&other, model::Signal::Traces).hot.is_empty());
    open.stop().await;
}
