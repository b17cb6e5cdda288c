//! A block that the disk has altered costs what is in it.

use super::{Fixture, span, text};
use model::{Signal, TenantId, TimeRange, TraceId};
use query::{Deadline, SearchRequest, filter};
use std::io::{Seek, SeekFrom, Write};

#[tokio::test(flavor = "multi_thread")]
async fn the_other_blocks_answer() {
    let fixture = Fixture::new().await;
    for trace in 1..=2 {
        fixture.send(&[span(trace, 1, None, "run", vec![text("state", "done")])]).await;
        fixture.storage.seal().await.unwrap();
    }
    fixture.send(&[span(3, 1, None, "run", vec![text("state", "done")])]).await;
    let snapshot = fixture.storage.snapshot(&TenantId::default(), Signal::Traces);
    let mut file = std::fs::OpenOptions::new().write(true).open(snapshot.blocks[0].path()).unwrap();
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
    assert_eq!(fixture.storage.usage().damaged_blocks, 1);
    let skeleton =
        async |trace| fixture.engine.skeleton(&TenantId::default(), TraceId([trace; 16])).await.unwrap();
    assert!(skeleton(1).await.is_none() && skeleton(2).await.is_some() && skeleton(3).await.is_some());
}
