//! Jaeger's shapes to the letter: what reads Jaeger's answers must not tell ours apart.

use super::fake::{self, TRACE as TRACE_ID, span, text};
use super::{TRACE, ask, get};
use expect_test::expect;
use model::span::{Event, Link};
use model::value::Scope;
use model::{Attribute, Span, SpanId, TraceId, Value};
use serde_json::json;
use std::sync::Arc;

/// A span with something in every field.
fn full() -> Span {
    let mut whole = span(
        2,
        &[
            ("net.peer.ip", text("1.2.3.4")),
            ("big", Value::Int(i64::MIN)),
            ("safe", Value::Int(9_007_199_254_740_991)),
            ("ratio", Value::Double(0.5)),
            ("odd", Value::Double(f64::NAN)),
            ("raw", Value::Bytes(vec![1, 2])),
            ("list", Value::Array(vec![text("a"), Value::Int(1)])),
        ],
    );
    whole.scope = Arc::new(Scope { name: "lib".to_owned(), version: "1".to_owned(), ..Scope::default() });
    whole.status = model::span::Status { code: 2, message: "boom".to_owned() };
    whole.trace_state = "a=b".to_owned();
    whole.flags = 0x101;
    whole.events = vec![Event {
        time: whole.start,
        name: "retry".to_owned(),
        attributes: vec![Attribute::new("n", Value::Int(1))],
        ..Event::default()
    }];
    whole.links = vec![Link {
        trace_id: TraceId([0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]),
        span_id: SpanId([9; 8]),
        ..Link::default()
    }];
    whole
}

#[tokio::test]
#[expect(clippy::too_many_lines, reason = "the answer is written out")]
async fn a_trace_as_jaeger_writes_it() {
    let answer = get(&[full()], &format!("/api/traces/{TRACE}?prettyPrint=true")).await;
    assert_eq!(answer.header("content-type"), "application/json");
    expect![[r#"
        {
            "data": [
                {
                    "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
                    "spans": [
                        {
                            "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
                            "spanID": "0000000000000002",
                            "flags": 1,
                            "operationName": "span 2",
                            "references": [
                                {
                                    "refType": "CHILD_OF",
                                    "traceID": "4bf92f3577b34da6a3ce929d0e0e4736",
                                    "spanID": "0000000000000001"
                                },
                                {
                                    "refType": "FOLLOWS_FROM",
                                    "traceID": "0100000000000000",
                                    "spanID": "0909090909090909"
                                }
                            ],
                            "startTime": 1706678909209714,
                            "duration": 123,
                            "tags": [
                                {
                                    "key": "otel.scope.name",
                                    "type": "string",
                                    "value": "lib"
                                },
                                {
                                    "key": "otel.scope.version",
                                    "type": "string",
                                    "value": "1"
                                },
                                {
                                    "key": "net.peer.ip",
                                    "type": "string",
                                    "value": "1.2.3.4"
                                },
                                {
                                    "key": "big",
                                    "type": "int64",
                                    "value": "-9223372036854775808"
                                },
                                {
                                    "key": "safe",
                                    "type": "int64",
                                    "value": 9007199254740991
                                },
                                {
                                    "key": "ratio",
                                    "type": "float64",
                                    "value": 0.5
                                },
                                {
                                    "key": "odd",
                                    "type": "float64",
                                    "value": "NaN"
                                },
                                {
                                    "key": "raw",
                                    "type": "binary",
                                    "value": "AQI="
                                },
                                {
                                    "key": "list",
                                    "type": "string",
                                    "value": "[\"a\",1]"
                                },
                                {
                                    "key": "span.kind",
                                    "type": "string",
                                    "value": "client"
                                },
                                {
                                    "key": "otel.status_code",
                                    "type": "string",
                                    "value": "ERROR"
                                },
                                {
                                    "key": "error",
                                    "type": "bool",
                                    "value": true
                                },
                                {
                                    "key": "otel.status_description",
                                    "type": "string",
                                    "value": "boom"
                                },
                                {
                                    "key": "w3c.tracestate",
                                    "type": "string",
                                    "value": "a=b"
                                }
                            ],
                            "logs": [
                                {
                                    "timestamp": 1706678909209714,
                                    "fields": [
                                        {
                                            "key": "event",
                                            "type": "string",
                                            "value": "retry"
                                        },
                                        {
                                            "key": "n",
                                            "type": "int64",
                                            "value": 1
                                        }
                                    ]
                                }
                            ],
                            "processID": "p1",
                            "warnings": null
                        }
                    ],
                    "processes": {
                        "p1": {
                            "serviceName": "shop",
                            "tags": []
                        }
                    },
                    "warnings": null
                }
            ],
            "total": 0,
            "limit": 0,
            "offset": 0,
            "errors": null
        }"#]]
    .assert_eq(answer.text());
}

#[tokio::test]
async fn processes_are_numbered_once() {
    let mut spans = fake::trace();
    spans[2].resource = Arc::default();
    let mut copy = span(4, &[]);
    copy.kind = 0;
    spans.push(copy);
    let trace = get(&spans, &format!("/api/traces/{TRACE}")).await.json()["data"][0].clone();
    let of: Vec<_> =
        trace["spans"].as_array().unwrap().iter().map(|span| span["processID"].clone()).collect();
    assert_eq!(of, ["p1", "p1", "p2", "p1"]);
    assert_eq!(trace["processes"]["p2"], json!({"serviceName": "OTLPResourceNoServiceName", "tags": []}));
    assert_eq!(trace["spans"][0]["references"], json!([]));
}

#[tokio::test]
async fn short_ids_are_padded_and_shown_short() {
    let mut short = span(1, &[]);
    short.trace_id = TraceId([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xab, 0xcd]);
    for id in ["abcd", "ABCD", "000000000000abcd", "0000000000000000000000000000abcd"] {
        let answer = get(std::slice::from_ref(&short), &format!("/api/traces/{id}")).await.json();
        assert_eq!(answer["data"][0]["traceID"], "000000000000abcd", "{id}");
    }
}

#[tokio::test]
async fn lists_have_their_envelope() {
    for (path, expect) in [
        ("/api/services", r#"{"data":["shop","stock"],"total":2,"limit":0,"offset":0,"errors":null}"#),
        (
            "/api/services/a%2Fb/operations",
            r#"{"data":["sell a/b"],"total":1,"limit":0,"offset":0,"errors":null}"#,
        ),
        (
            "/api/operations?service=x&spanKind=server",
            r#"{"data":[{"name":"sell x","spanKind":"server"}],"total":1,"limit":0,"offset":0,"errors":null}"#,
        ),
        (
            "/api/dependencies?endTs=1706678910000",
            r#"{"data":[{"parent":"shop","child":"stock","callCount":1}],"total":1,"limit":0,"offset":0,"errors":null}"#,
        ),
        ("/api/traces?service=none", r#"{"data":[],"total":0,"limit":0,"offset":0,"errors":null}"#),
    ] {
        let answer = get(&fake::trace(), path).await;
        assert_eq!(answer.text(), expect, "{path}");
        assert_eq!(answer.header("content-type"), "application/json", "{path}");
    }
}

#[tokio::test]
async fn searches_are_lenient_and_exact() {
    for (query, found) in [
        ("", true),
        ("service=shop", true),
        ("service=sho", false),
        ("service=shop&operation=span%202", true),
        ("tag=http.status_code:500", true),
        ("tag=http.status_code:500&tag=retry:true", true),
        ("tag=http.status_code:200&tag=retry:true", false),
        ("tags=%7B%22http.status_code%22%3A%22500%22%2C%22error%22%3A%22true%22%7D", true),
        ("tags=%7B%22http.status_code%22%3A%22200%22%2C%22error%22%3A%22true%22%7D", false),
        ("tags=retry:true", true),
        ("tags=error:true&service=stock", false),
        ("tag=error:false&service=stock", true),
        ("tag=span.kind:client", true),
        ("tag=span.kind:server", false),
        ("minDuration=100us&maxDuration=1ms", true),
        ("minDuration=1.5s", false),
        ("start=1706678909209712&end=1706678909300000&limit=20", true),
        ("end=1706678909209700", false),
        ("lookback=1h&service=shop", true),
    ] {
        let answer = get(&fake::trace(), &format!("/api/traces?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {}", answer.text());
        assert_eq!(answer.json()["data"].as_array().unwrap().len(), usize::from(found), "{query}");
    }
}

#[tokio::test]
async fn errors_have_jaegers_words() {
    for (path, status, message) in [
        ("/api/traces?limit=string", 400, r#"strconv.ParseInt: parsing "string": invalid syntax"#),
        (
            "/api/traces?start=x",
            400,
            r#"unable to parse param 'start': strconv.ParseInt: parsing "x": invalid syntax"#,
        ),
        (
            "/api/traces?minDuration=20",
            400,
            r#"unable to parse param 'minDuration': time: missing unit in duration "20""#,
        ),
        (
            "/api/traces?minDuration=2s&maxDuration=1s",
            400,
            "'maxDuration' should be greater than 'minDuration'",
        ),
        ("/api/traces?tag=k", 400, "malformed 'tag' parameter, expecting key:value, received: k"),
        (
            "/api/traces?tags=%7B%22a%22:1%7D",
            400,
            "malformed 'tags' parameter, cannot unmarshal JSON: json: cannot unmarshal number into Go value of type string",
        ),
        (
            "/api/traces?raw=x",
            400,
            r#"unable to parse param 'raw': strconv.ParseBool: parsing "x": invalid syntax"#,
        ),
        ("/api/operations", 400, "parameter 'service' is required"),
        ("/api/traces/abc", 404, "trace not found"),
    ] {
        let answer = get(&fake::trace(), path).await;
        let expect = json!({"data": null, "total": 0, "limit": 0, "offset": 0, "errors": [{"code": status, "msg": message}]});
        assert_eq!(answer.text(), format!("{expect}\n"), "{path}");
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    let bad = get(&[], "/api/traces/nothex").await;
    assert!(bad.text().contains("cannot parse traceID param: "), "{}", bad.text());
}

#[tokio::test]
async fn several_ids_give_what_is_there() {
    let answer = get(&fake::trace(), &format!("/api/traces?traceID={TRACE}&traceID=abc")).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["errors"], json!([{"msg": "trace not found", "traceID": "abc"}]));
    assert_eq!(answer.json()["data"][0]["traceID"], TRACE);
}

#[tokio::test]
async fn a_limit_that_acts_is_told() {
    let spans: Vec<Span> = (1..=1_501u16)
        .map(|number| {
            let mut span = span(1, &[]);
            span.trace_id = TRACE_ID;
            span.trace_id.0[..2].copy_from_slice(&number.to_be_bytes());
            span
        })
        .collect();
    let answer = get(&spans, "/api/traces?limit=2000").await.json();
    assert_eq!(answer["data"].as_array().unwrap().len(), 1_500);
    assert_eq!(answer["errors"], json!([{"msg": "at most 1500 traces are given at once"}]));
    let answer = get(&spans, "/api/traces?limit=10").await.json();
    assert_eq!((answer["data"].as_array().unwrap().len(), &answer["errors"]), (10, &json!(null)));
}

#[tokio::test]
async fn hostile_parameters_are_answered() {
    for path in [
        "/api/traces?%ff=%fe",
        "/api/traces?limit=-1",
        "/api/traces?limit=99999999999999999999",
        "/api/traces?start=-5&end=9223372036854775807",
        "/api/traces?minDuration=1e400s",
        "/api/traces?minDuration=999999999999h",
        "/api/traces?tags=%7B%7B%7B",
        "/api/traces?tag=:::",
        "/api/traces?tag=%00:%00",
        "/api/services/%F0%9F%A6%91/operations",
        "/api/dependencies?endTs=18446744073709551615&lookback=18446744073709551615",
    ] {
        let answer = ask(&fake::trace(), &format!("GET {path}"), &[], "").await;
        assert!(matches!(answer.status.as_u16(), 200 | 400), "{path}: {}", answer.status);
    }
}
