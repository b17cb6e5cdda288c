//! Of the rows of one span exactly one counts, wherever they are.

use super::{Open, batch, counted, files, options, span};
use crate::Options;
use model::{Signal, Span, SpanId, TenantId, Timestamp, TraceId};
use std::time::{Duration, Instant};

/// What happens between two versions of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Between {
    Nothing,
    Seal,
    Compact,
    Reopen,
    Crash,
}

const BETWEEN: [Between; 5] =
    [Between::Nothing, Between::Seal, Between::Compact, Between::Reopen, Between::Crash];

async fn after(open: Open, options: &Options, what: Between) -> Open {
    match what {
        Between::Nothing => {}
        Between::Seal => open.storage.seal().await.unwrap(),
        Between::Compact => {
            open.storage.seal().await.unwrap();
            open.storage.compact().await.unwrap();
        }
        Between::Reopen => {
            open.stop().await;
            return Open::new(options.clone()).await;
        }
        Between::Crash => {
            open.crash().await;
            return Open::new(options.clone()).await;
        }
    }
    open
}

#[tokio::test(flavor = "multi_thread")]
async fn one_version_counts_wherever_they_are() {
    let ends: [[u64; 3]; 5] =
        [[0, 2_000, 3_000], [2_000, 2_000, 2_000], [3_000, 0, 2_000], [0, 3_000, 2_000], [3_000, 2_000, 0]];
    for (number, ends) in ends.into_iter().enumerate() {
        for (first, second) in BETWEEN.into_iter().flat_map(|first| BETWEEN.map(|second| (first, second))) {
            let directory = tempfile::tempdir().unwrap();
            let options = options(directory.path());
            let mut open = Open::new(options.clone()).await;
            for (end, then) in ends.into_iter().zip([first, second, Between::Nothing]) {
                open.storage.append(batch(&[span(1, 1, end), span(2, 7, 2_500)])).await.unwrap();
                open = after(open, &options, then).await;
            }
            for last in BETWEEN {
                let expect = (vec![(SpanId([1; 8]), 3_000.min(*ends.iter().max().unwrap()))], 2);
                let told = format!("case {number}: {ends:?}, {first:?}, {second:?}, {last:?}");
                assert_eq!(counted(&open.storage, 1).await, expect, "{told}");
                assert_eq!(counted(&open.storage, 2).await.0, [(SpanId([7; 8]), 2_500)], "{told}");
                open = after(open, &options, last).await;
            }
            open.stop().await;
        }
    }
}

fn many(spans: std::ops::Range<u64>, end: u64) -> Vec<Span> {
    let id = |number: u64| SpanId((number + 1).to_be_bytes());
    spans.map(|number| Span { span_id: id(number), end: Timestamp(end), ..span(1, 1, 0) }).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_that_was_all_sent_again_goes() {
    let directory = tempfile::tempdir().unwrap();
    let open = Open::new(options(directory.path())).await;
    for end in [2_000, 3_000] {
        open.storage.append(batch(&many(0..2_000, end))).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    assert_eq!(counted(&open.storage, 1).await.1, 2_000);
    let deadline = Instant::now() + Duration::from_secs(30);
    let blocks = || open.storage.snapshot(&TenantId::default(), Signal::Traces).blocks.len();
    while blocks() > 1 {
        assert!(Instant::now() < deadline);
        tokio::task::yield_now().await;
    }
    let (spans, rows) = counted(&open.storage, 1).await;
    assert!(rows == 2_000 && spans.iter().all(|(_, end)| *end == 3_000));
    open.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_found_while_blocks_are_rewritten_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let options = options(directory.path());
    let open = Open::new(options.clone()).await;
    for number in 1..=2 {
        open.storage.append(batch(&[span(number, 1, 0), span(number, 2, 2_000)])).await.unwrap();
        open.storage.seal().await.unwrap();
    }
    open.storage.append(batch(&[span(1, 1, 3_000), span(2, 1, 3_000)])).await.unwrap();
    let blocks = directory.path().join("blocks");
    let until = async |count: usize| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while options.blocks_url.is_none() && files(&blocks) < count {
            assert!(Instant::now() < deadline);
            tokio::task::yield_now().await;
        }
    };
    // Both have written their files, and neither is committed.
    let counting = open.storage.store.counting.lock().await;
    let writing = async {
        until(3).await;
        let (compacted, ()) = tokio::join!(open.storage.compact(), async {
            until(4).await;
            drop(counting);
        });
        compacted.unwrap();
    };
    let (sealed, ()) = tokio::join!(open.storage.seal(), writing);
    sealed.unwrap();
    for trace in [1, 2] {
        let expect = [(SpanId([1; 8]), 3_000), (SpanId([2; 8]), 2_000)];
        assert_eq!(counted(&open.storage, trace).await, (expect.to_vec(), 4), "{trace}");
    }
    open.stop().await;
    let open = Open::new(options).await;
    assert_eq!(counted(&open.storage, 1).await.1, 4);
    let deleted = open.storage.delete_trace(&TenantId::default(), TraceId([1; 16])).await.unwrap();
    assert_eq!((deleted.spans, counted(&open.storage, 2).await.1), (2, 2));
    open.stop().await;
}
