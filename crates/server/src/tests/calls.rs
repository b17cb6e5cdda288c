//! Model calls as one reads them.

use super::fake::{self, FakeEngine};
use super::{TRACE, text_of};
use axum::body::Body;
use http::Request;
use model::Value;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tower::ServiceExt;

/// However many calls there are that say nothing themselves.
#[tokio::test]
async fn log_records_are_read_once() {
    let call = |number| {
        let mut call = fake::span(number, &[("gen_ai.operation.name", Value::String("chat".to_owned()))]);
        call.name = "chat".to_owned();
        call
    };
    // The first is around the others, and not told.
    let spans: Vec<_> = (1..=65).map(call).collect();
    let asked = Arc::new(AtomicUsize::new(0));
    let router = crate::router(FakeEngine::counting(&spans, &asked), Vec::new());
    let request = Request::get(format!("/api/v1/traces/{TRACE}/calls")).body(Body::empty()).unwrap();
    let answer = text_of(router.oneshot(request).await.unwrap()).await;
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    assert_eq!((answer["calls"].as_array().unwrap().len(), &answer["complete"]), (64, &true.into()));
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
