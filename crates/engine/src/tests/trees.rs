//! Traces whole: their spans as trees.

use super::{Fixture, span};
use model::{TenantId, TraceId};
use query::result::flag;

#[tokio::test(flavor = "multi_thread")]
async fn skeletons_hold_every_span_however_odd() {
    let fixture = Fixture::new().await;
    let deep: Vec<_> = (1..=20_000)
        .map(|number| span(1, number, (number > 1).then(|| number - 1), "deep", vec![]))
        .collect();
    fixture.send(&deep).await;
    let circle = [
        span(2, 1, Some(2), "a", vec![]),
        span(2, 2, Some(1), "b", vec![]),
        span(2, 3, Some(3), "self", vec![]),
    ];
    fixture.send(&circle).await;
    let orphan = [
        span(3, 1, None, "root", vec![]),
        span(3, 2, Some(99), "lost", vec![]),
        span(3, 3, Some(2), "child", vec![]),
    ];
    fixture.send(&orphan).await;
    let skeleton =
        async |trace: u8| fixture.engine.skeleton(&TenantId::default(), TraceId([trace; 16])).await.unwrap();
    let deep = skeleton(1).await.unwrap();
    assert_eq!((deep.rows.len(), deep.orphans), (20_000, 0));
    assert_eq!(deep.rows.last().unwrap().depth, 19_999);
    assert!(
        deep.rows
            .iter()
            .enumerate()
            .all(|(place, row)| row.parent.map_or(place == 0, |parent| parent as usize + 1 == place))
    );
    let circle = skeleton(2).await.unwrap();
    assert_eq!((circle.rows.len(), circle.orphans), (3, 3));
    let orphan = skeleton(3).await.unwrap();
    assert_eq!((orphan.rows.len(), orphan.orphans), (3, 1));
    let flagged: Vec<_> = orphan.rows.iter().map(|row| row.flags & flag::ORPHAN != 0).collect();
    assert_eq!(flagged, [false, true, false]);
    assert!(skeleton(9).await.is_none());
    // In linear time: each span asks those above it who the agent is.
    let run = fixture.engine.run(&TenantId::default(), TraceId([1; 16])).await.unwrap().unwrap();
    assert_eq!(run.critical_path.iter().map(|segment| segment.length).sum::<u64>(), 5_000_000);
}
