//! The server over an engine that holds one trace: the API as its description says, Jaeger's shapes, who may ask.

use crate::api::openapi::PATHS;
use crate::ports::{ApplicationStatus, Health, Ports, Receiver, ReceiverEvent, Retention};
use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use expect_test::{Expect, expect};
use futures::stream::{self, BoxStream, StreamExt};
use http::{Request, Response, StatusCode};
use model::value::Resource;
use model::{Attribute, Span, SpanId, TenantId, TimeRange, Timestamp, TraceId, Value};
use query::result::{
    Change, Field, FieldValues, LogResult, MetricName, MetricResult, Operation, SearchResult, Skeleton,
    SkeletonRow, Stored, TraceSummary,
};
use query::{Engine, Error, FieldValuesRequest, LogRequest, MetricRequest, SearchRequest, filter};
use serde_json::Value as Json;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

const TRACE: &str = "000000000000000000000000000000ab";

fn span() -> Span {
    let service = Attribute::new("service.name", Value::String("shop".to_owned()));
    Span {
        resource: Arc::new(Resource { attributes: vec![service], ..Resource::default() }),
        trace_id: TraceId::parse(TRACE).unwrap(),
        span_id: SpanId([1; 8]),
        parent_span_id: Some(SpanId([2; 8])),
        name: "chat".to_owned(),
        kind: 3,
        start: Timestamp(1_000_000),
        end: Timestamp(3_500_000),
        attributes: vec![
            Attribute::new("big", Value::Int(i64::MAX)),
            Attribute::new("ratio", Value::Double(f64::NAN)),
            Attribute::new("html", Value::String("<script>alert(1)</script>".to_owned())),
            Attribute::new("gen_ai.operation.name", Value::String("chat".to_owned())),
            Attribute::new(
                "gen_ai.input.messages",
                Value::String(r#"[{"role":"user","content":"hi"}]"#.to_owned()),
            ),
        ],
        ..Span::default()
    }
}

/// Answers with one trace, and remembers what it was asked.
#[derive(Default)]
struct OneTrace {
    asked: Arc<Mutex<Vec<SearchRequest>>>,
}

fn summary() -> TraceSummary {
    TraceSummary {
        trace_id: span().trace_id,
        root_name: "chat".to_owned(),
        spans: 1,
        ..TraceSummary::default()
    }
}

#[async_trait]
impl Engine for OneTrace {
    async fn search(&self, _: &TenantId, request: SearchRequest) -> Result<SearchResult, Error> {
        self.asked.lock().unwrap().push(request);
        Ok(SearchResult { traces: vec![summary()], ..SearchResult::default() })
    }
    async fn summaries(&self, _: &TenantId, _: &[TraceId]) -> Result<Vec<TraceSummary>, Error> {
        Ok(vec![summary()])
    }
    async fn skeleton(&self, _: &TenantId, trace_id: TraceId) -> Result<Option<Skeleton>, Error> {
        Ok(Some(Skeleton { trace_id, rows: vec![SkeletonRow::default()], ..Skeleton::default() }))
    }
    async fn spans(&self, _: &TenantId, trace: TraceId, _: Option<&[SpanId]>) -> Result<Vec<Span>, Error> {
        Ok(if trace == span().trace_id { vec![span()] } else { Vec::new() })
    }
    async fn logs(&self, _: &TenantId, _: LogRequest) -> Result<LogResult, Error> {
        Ok(LogResult::default())
    }
    async fn metric_names(&self, _: &TenantId) -> Result<Vec<MetricName>, Error> {
        Ok(Vec::new())
    }
    async fn metric_points(&self, _: &TenantId, _: MetricRequest) -> Result<MetricResult, Error> {
        Ok(MetricResult::default())
    }
    async fn services(&self, _: &TenantId) -> Result<Vec<String>, Error> {
        Ok(vec!["shop".to_owned()])
    }
    async fn operations(&self, _: &TenantId, _: &str) -> Result<Vec<Operation>, Error> {
        Ok(vec![Operation { name: "chat".to_owned(), kind: 3 }])
    }
    async fn fields(&self, _: &TenantId, _: TimeRange) -> Result<Vec<Field>, Error> {
        Ok(Vec::new())
    }
    async fn field_values(&self, _: &TenantId, _: FieldValuesRequest) -> Result<FieldValues, Error> {
        Ok(FieldValues::default())
    }
    async fn stored(&self, _: &TenantId) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
    fn changes(&self) -> BoxStream<'static, Option<Arc<Change>>> {
        stream::pending().boxed()
    }
}

struct Program;

#[async_trait]
impl ApplicationStatus for Program {
    fn version(&self) -> &'static str {
        "0"
    }
    fn started(&self) -> Timestamp {
        Timestamp(1)
    }
    fn retention(&self) -> Retention {
        Retention { max_age: "7d".to_owned(), max_bytes: 1 }
    }
    fn receivers(&self) -> Vec<Receiver> {
        Vec::new()
    }
    fn health(&self) -> Health {
        Health::Ok
    }
    fn receiver_events(&self, _: u64) -> Vec<ReceiverEvent> {
        Vec::new()
    }
    async fn receiver_event_after(&self, _: u64) {
        std::future::pending::<()>().await;
    }
    async fn send_sample(&self) -> Result<TraceId, String> {
        Ok(span().trace_id)
    }
}

fn router() -> (Router, Arc<Mutex<Vec<SearchRequest>>>) {
    let engine = OneTrace::default();
    let asked = Arc::clone(&engine.asked);
    (crate::router(Ports { engine: Arc::new(engine), application: Arc::new(Program) }, Vec::new()), asked)
}

async fn ask(request: http::request::Builder, body: &'static str) -> Response<Body> {
    router().0.oneshot(request.body(Body::from(body)).unwrap()).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8_lossy(&to_bytes(response.into_body(), 1 << 20).await.unwrap()).into_owned()
}

async fn get(path: &str) -> (StatusCode, String) {
    let response = ask(Request::get(path).header("host", "localhost:16686"), "").await;
    (response.status(), text(response).await)
}

#[tokio::test]
async fn every_described_path_answers_as_described() {
    for described in PATHS {
        let path = described.path.replace("{trace}", TRACE).replace("{span}", "0101010101010101");
        let path = format!("/api/v1{}", path.replace("{key}", "html").replace("{name}", "m"));
        let request = Request::builder().method(described.method.to_uppercase().as_str()).uri(&path);
        let response = ask(request.header("content-type", "application/json"), r#"{"spanIds":["1"]}"#).await;
        assert_eq!(response.status(), StatusCode::OK, "{path}");
        if described.answer != "application/json" {
            continue;
        }
        let json: Json = serde_json::from_str(&text(response).await).unwrap();
        let mut found: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
        let mut expect = described.keys.to_vec();
        found.sort_unstable();
        expect.sort_unstable();
        if !path.ends_with("openapi.json") {
            assert_eq!(found, expect, "{path}");
        }
    }
}

#[tokio::test]
async fn jaeger_shapes() {
    async fn check(path: &str, expect: Expect) {
        let (status, body) = get(path).await;
        expect.assert_eq(&format!("{} {}", status.as_u16(), body.trim()));
    }
    check(
        "/api/services",
        expect![[r#"200 {"data":["shop"],"total":1,"limit":0,"offset":0,"errors":null}"#]],
    )
    .await;
    check("/api/operations?service=shop", expect![[r#"200 {"data":[{"name":"chat","spanKind":"client"}],"total":1,"limit":0,"offset":0,"errors":null}"#]]).await;
    check("/api/operations", expect![[r#"400 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":400,"msg":"parameter 'service' is required"}]}"#]]).await;
    check("/api/traces/ab", expect![[r#"200 {"data":[{"traceID":"00000000000000ab","spans":[{"traceID":"00000000000000ab","spanID":"0101010101010101","flags":0,"operationName":"chat","references":[{"refType":"CHILD_OF","traceID":"00000000000000ab","spanID":"0202020202020202"}],"startTime":1000,"duration":2500,"tags":[{"key":"big","type":"int64","value":"9223372036854775807"},{"key":"ratio","type":"float64","value":"NaN"},{"key":"html","type":"string","value":"<script>alert(1)</script>"},{"key":"gen_ai.operation.name","type":"string","value":"chat"},{"key":"gen_ai.input.messages","type":"string","value":"[{\"role\":\"user\",\"content\":\"hi\"}]"},{"key":"span.kind","type":"string","value":"client"}],"logs":[],"processID":"p1","warnings":null}],"processes":{"p1":{"serviceName":"shop","tags":[]}},"warnings":null}],"total":0,"limit":0,"offset":0,"errors":null}"#]]).await;
    check("/api/traces/cd", expect![[r#"404 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":404,"msg":"trace not found"}]}"#]]).await;
    check("/api/traces?limit=string", expect![[r#"400 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":400,"msg":"strconv.ParseInt: parsing \"string\": invalid syntax"}]}"#]]).await;
    check("/api/traces?tag=k", expect![[r#"400 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":400,"msg":"malformed 'tag' parameter, expecting key:value, received: k"}]}"#]]).await;
    check("/api/traces?minDuration=2s&maxDuration=1s", expect![[r#"400 {"data":null,"total":0,"limit":0,"offset":0,"errors":[{"code":400,"msg":"'maxDuration' should be greater than 'minDuration'"}]}"#]]).await;
    check("/api/nonsense", expect![[r#"404 {"error":{"kind":"notFound","message":"no such path; /api/v1/openapi.json lists ours","at":null}}"#]]).await;
}

#[tokio::test]
async fn jaeger_parameters_become_a_filter() {
    for (parameters, expect) in [
        ("", ""),
        ("service=shop&operation=chat", "service:=shop name:=chat"),
        ("tag=a.b:c:d&tag=error:true", "a.b:=c:d status:=error"),
        ("tags=%7B%22k%22%3A%22v%22%7D", "k:=v"),
        ("tags=workflow.id:demo", "workflow.id:=demo"),
        ("minDuration=1ms", "duration:>=1000000"),
        ("tag=span.kind:server", "kind:=server"),
    ] {
        let (router, asked) = router();
        let request = Request::get(format!("/api/traces?{parameters}")).body(Body::empty()).unwrap();
        assert_eq!(router.oneshot(request).await.unwrap().status(), StatusCode::OK);
        assert_eq!(filter::print(&asked.lock().unwrap()[0].filter), expect, "{parameters}");
    }
}

#[tokio::test]
async fn values_are_exact_and_errors_teach() {
    let (_, span) = get(&format!("/api/v1/traces/{TRACE}/spans/0101010101010101")).await;
    let span: Json = serde_json::from_str(&span).unwrap();
    assert_eq!(span["attributes"][0]["value"], "9223372036854775807");
    assert_eq!(span["attributes"][1]["value"], "NaN");
    assert_eq!(span["gen"]["messages"]["input"][0]["parts"][0]["content"], "hi");
    let (status, error) = get("/api/v1/traces?q=kind:").await;
    let error: Json = serde_json::from_str(&error).unwrap();
    assert_eq!((status, &error["error"]["at"]), (StatusCode::BAD_REQUEST, &Json::from(4)));
    assert_eq!(get("/api/v1/traces?limit=x").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(get("/api/v1/traces?from=yesterday").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(get("/api/v1/nonsense").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_our_own_page_and_names() {
    let status = async |request: http::request::Builder| ask(request, "").await.status();
    assert_eq!(status(Request::get("/").header("host", "evil.example")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(Request::get("/").header("host", "127.0.0.1:1")).await, StatusCode::OK);
    let sample = || Request::post("/api/v1/sample").header("host", "localhost");
    assert_eq!(status(sample().header("origin", "http://evil.example")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(sample().header("sec-fetch-site", "cross-site")).await, StatusCode::FORBIDDEN);
    assert_eq!(status(sample().header("origin", "http://localhost")).await, StatusCode::OK);
    let page = ask(Request::get("/trace/ab"), "").await;
    assert!(page.headers()["content-security-policy"].to_str().unwrap().starts_with("default-src 'none'"));
}
