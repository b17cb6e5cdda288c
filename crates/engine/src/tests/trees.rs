//! Traces whole: their spans as trees.

use super::{Fixture, resource, span, text};
use model::{TenantId, TraceId};
use query::result::{Unnamed, flag};

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

/// What a limit leaves out of a list is counted.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_listed_is_counted() {
    let fixture = Fixture::new().await;
    let mut spans = vec![span(1, 1, None, "root", vec![])];
    for number in 2..=76 {
        let model = text("gen_ai.request.model", &format!("model {}", number % 23));
        let mut lost = span(1, number, Some(1_000), "lost", vec![model]);
        lost.resource = resource(&format!("service {}", number % 25));
        spans.push(lost);
    }
    fixture.send(&spans).await;
    let (tenant, trace) = (TenantId::default(), TraceId([1; 16]));
    let summary = &fixture.engine.summaries(&tenant, &[trace]).await.unwrap().items[0];
    assert_eq!((summary.services.len(), summary.models.len(), summary.agents.len()), (20, 20, 0));
    assert_eq!(summary.unnamed, Unnamed { agents: 0, services: 6, models: 3 });
    let findings = fixture.engine.run(&tenant, trace).await.unwrap().unwrap().findings;
    let last = findings.last().unwrap();
    assert_eq!((findings.len(), last.span_id, last.detail.as_str()), (51, None, "and 25 more like these"));
}
