//! A block that the disk has altered costs what is in it.

use super::{Fixture, span, text};
use model::{LogRecord, Signal, TenantId, TimeRange, Timestamp, TraceId, Value};
use query::{Deadline, Expression, LogRequest, SearchRequest, filter};
use std::io::{Seek, SeekFrom, Write};

/// One bit anywhere in the columns is found, also by readers that are not ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_is_not_believed() {
    let fixture = Fixture::new().await;
    let record = |body: &str| LogRecord {
        time: Timestamp(1_000),
        body: Some(Value::String(body.to_owned())),
        ..LogRecord::default()
    };
    fixture.send_logs(&[record("first")]).await;
    fixture.storage.seal().await.unwrap();
    fixture.send_logs(&[record("second")]).await;
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Logs);
    let path = snapshot.blocks[0].name();
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(5).position(|window| window == b"first").unwrap();
    bytes[place] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let request = LogRequest {
        trace_id: None,
        span_id: None,
        filter: Expression::All,
        range: TimeRange::ALL,
        limit: 10,
        deadline: Deadline::default(),
    };
    let found = fixture.engine.logs(&TenantId::default(), request).await.unwrap();
    let bodies: Vec<_> = found.records.into_iter().map(|record| record.body).collect();
    assert_eq!((bodies, found.complete), (vec![Some(Value::String("second".to_owned()))], false));
    assert_eq!(fixture.storage.usage().damaged_blocks, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_other_blocks_answer() {
    let fixture = Fixture::new().await;
    for trace in 1..=2 {
        fixture.send(&[span(trace, 1, None, "run", vec![text("state", "done")])]).await;
        fixture.storage.seal().await.unwrap();
    }
    fixture.send(&[span(3, 1, None, "run", vec![text("state", "done")])]).await;
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Traces);
    let mut file = std::fs::OpenOptions::new().write(true).open(snapshot.blocks[0].name()).unwrap();
    let length = file.metadata().unwrap().len();
    file.seek(SeekFrom::Start(4)).unwrap();
    file.write_all(&vec![0xa5; usize::try_from(length).unwrap() - 12]).unwrap();
    for query in ["", "state:done"] {
        let request = SearchRequest {
            filter: filter::parse(query).unwrap(),
            range: TimeRange::ALL,
            limit: 10,
            cursor: None,
            deadline: Deadline::default(),
        };
        let found = fixture.engine.search(&TenantId::default(), request).await.unwrap();
        let ids: Vec<_> = found.traces.iter().map(|trace| trace.trace_id).collect();
        assert_eq!(ids, [TraceId([3; 16]), TraceId([2; 16])], "{query:?}");
        assert!(found.incomplete.unwrap().contains("1 of the blocks"), "{query:?}");
    }
    let stored = fixture.engine.stored(&TenantId::default()).await.unwrap();
    assert_eq!((stored.damaged_blocks, fixture.storage.usage().damaged_blocks), (1, 1));
    let skeleton =
        async |trace| fixture.engine.skeleton(&TenantId::default(), TraceId([trace; 16])).await.unwrap();
    assert!(skeleton(1).await.is_none() && skeleton(2).await.is_some() && skeleton(3).await.is_some());
}
