//! The stream of events. Time is paused: it passes when everyone waits.

use super::fake::{self, FakeEngine};
use crate::ports::Ports;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt;
use tower::ServiceExt;

/// The first events for a listener who saw the event of this number last.
async fn listen(last: Option<&str>, tenant: &str) -> String {
    listen_to(FakeEngine::ports(&fake::trace()), last, tenant).await
}

async fn listen_to(ports: Ports, last: Option<&str>, tenant: &str) -> String {
    let mut request = Request::builder().uri("/api/v1/live").header("x-scope-orgid", tenant);
    if let Some(last) = last {
        request = request.header("last-event-id", last);
    }
    let router = crate::router(ports, Vec::new());
    let answer = router.oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut body = answer.into_body();
    let mut seen = String::new();
    while !seen.contains("event: stats") {
        let frame = body.frame().await.unwrap().unwrap();
        seen += std::str::from_utf8(&frame.into_data().unwrap()).unwrap();
    }
    // What comes within the next second.
    let rest = async {
        while let Some(frame) = body.frame().await {
            seen += std::str::from_utf8(&frame.unwrap().into_data().unwrap()).unwrap();
        }
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), rest).await;
    seen
}

#[tokio::test(start_paused = true)]
async fn changed_traces_are_told_to_their_tenant() {
    let seen = listen(None, "default").await;
    assert!(seen.contains("event: trace.upsert"), "{seen}");
    assert!(seen.contains(super::TRACE) && seen.contains("\"more\":1"), "a missed change is told: {seen}");
    assert_eq!(seen.matches("event: trace.upsert").count(), 1, "{seen}");
    assert!(!seen.contains("receiver.event"), "what was before is in the status: {seen}");
    let seen = listen(None, "third").await;
    assert!(!seen.contains(super::TRACE), "{seen}");
}

#[tokio::test(start_paused = true)]
async fn a_listener_resumes_where_it_was() {
    for (last, events) in [(None, 0), (Some("1"), 2), (Some("3"), 0), (Some("99"), 3), (Some("x"), 0)] {
        let seen = listen(last, "default").await;
        assert_eq!(seen.matches("<script>").count(), events, "{last:?}: {seen}");
        assert!(seen.contains("id: 3\n"), "{seen}");
        // One change was missed; and whoever comes back does not know what was before.
        let told = if last.is_some_and(|last| last != "x") { 2 } else { 1 };
        assert_eq!(seen.matches("\"more\":1").count(), told, "{last:?}: {seen}");
    }
}

/// Three events are kept, of which the first has the number 1; or the listener saw one before it.
#[tokio::test(start_paused = true)]
async fn events_that_are_gone_are_told() {
    let seen = listen(Some("1"), "default").await;
    assert!(seen.contains("\"missed\":0"), "{seen}");
    let seen = listen_to(FakeEngine::forgetful(), Some("1"), "default").await;
    assert!(seen.contains("\"missed\":1") && seen.matches("<script>").count() == 1, "{seen}");
}

#[tokio::test]
async fn listeners_are_bounded() {
    let router = crate::router(FakeEngine::ports(&[]), Vec::new());
    let mut open = Vec::new();
    for number in 0..65 {
        let request = Request::get("/api/v1/live").body(Body::empty()).unwrap();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), if number < 64 { 200 } else { 503 }, "{number}");
        open.push(answer);
    }
    open.clear();
    let request = Request::get("/api/v1/live").body(Body::empty()).unwrap();
    assert_eq!(router.oneshot(request).await.unwrap().status(), 200, "a place is free again");
}
