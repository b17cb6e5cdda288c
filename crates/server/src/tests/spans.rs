//! Traces, skeletons, spans, bodies, logs and metrics, exactly.

use super::fake::{self, span, text};
use super::{TRACE, ask, get};
use expect_test::expect;
use model::{Attribute, Value};
use serde_json::{Value as Json, json};

#[tokio::test]
async fn values_are_exact() {
    let nested = Value::Map(vec![
        Attribute::new("a", Value::Int(i64::MIN)),
        Attribute::new("a", Value::Array(vec![Value::Empty, Value::Bool(false)])),
    ]);
    let all = [
        ("int", Value::Int(i64::MAX)),
        ("nan", Value::Double(f64::NAN)),
        ("infinite", Value::Double(f64::NEG_INFINITY)),
        ("double", Value::Double(0.1)),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("nested", nested),
        ("empty", Value::Empty),
        ("twice", text("</script>\u{0}")),
        ("twice", text("2")),
    ];
    let answer = get(&[span(1, &all)], &format!("/api/v1/traces/{TRACE}/spans/1")).await.json();
    let found: Vec<Json> = answer["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|each| json!([each["key"], each["type"], each["value"]]))
        .collect();
    let nested = json!([
        {"key": "a", "type": "int", "value": i64::MIN.to_string()},
        {"key": "a", "type": "array", "value": [{"type": "empty", "value": null}, {"type": "bool", "value": false}]},
    ]);
    let expect = json!([
        ["int", "int", i64::MAX.to_string()],
        ["nan", "double", "NaN"],
        ["infinite", "double", "-Infinity"],
        ["double", "double", 0.1],
        ["bytes", "bytes", "AP8="],
        ["nested", "map", nested],
        ["empty", "empty", null],
        ["twice", "string", "</script>\u{0}"],
        ["twice", "string", "2"],
    ]);
    assert_eq!(Json::from(found), expect);
}

#[tokio::test]
async fn a_running_span_has_no_end() {
    let mut running = span(1, &[]);
    running.end = model::Timestamp(0);
    let answer = get(&[running], &format!("/api/v1/traces/{TRACE}/spans/1")).await.json();
    assert_eq!((&answer["end"], &answer["duration"]), (&Json::Null, &Json::Null));
}

#[tokio::test]
async fn long_values_are_cut_and_say_so() {
    let long = "é".repeat(40_000);
    let spans = [span(
        1,
        &[
            ("long", text(&long)),
            ("within", Value::Array(vec![text(&long)])),
            ("short", text(&"é".repeat(30_000))),
        ],
    )];
    let path = format!("/api/v1/traces/{TRACE}/spans/1");
    let attributes = get(&spans, &path).await.json()["attributes"].clone();
    let facts: Vec<Json> = attributes
        .as_array()
        .unwrap()
        .iter()
        .map(|each| json!([each["key"], each["length"], each["truncated"]]))
        .collect();
    assert_eq!(
        Json::from(facts),
        json!([["long", 80_000, true], ["within", 1, true], ["short", 60_000, false]])
    );
    assert_eq!(attributes[0]["value"].as_str().unwrap().len(), 16_384);
    assert_eq!(attributes[1]["value"][0]["value"].as_str().unwrap().len(), 16_384);
    assert_eq!(get(&spans, &format!("{path}/body/long")).await.text(), long);
    assert_eq!(get(&spans, &format!("{path}/body/within")).await.json()[0]["value"], long);
}

#[tokio::test]
async fn bodies_come_whole_or_in_ranges() {
    let spans = [span(1, &[("a/b c", text("0123456789")), ("bytes", Value::Bytes(vec![1, 2]))])];
    let path = format!("GET /api/v1/traces/{TRACE}/spans/1/body/a%2Fb%20c");
    for (range, status, body, said) in [
        ("", 200, "0123456789", ""),
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=-2", 206, "89", "bytes 8-9/10"),
        ("bytes=10-", 416, "", "bytes */10"),
        ("bytes=0-0,2-3", 200, "0123456789", ""),
    ] {
        let answer = ask(&spans, &path, &[("range", range)], "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.text(), answer.header("content-range")),
            (status, body, said),
            "{range}"
        );
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        if status != 416 {
            assert_eq!(answer.header("content-disposition"), "attachment");
            assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
        }
    }
    let at = |rest: &str| format!("/api/v1/traces/{TRACE}/spans/1/body/{rest}");
    assert_eq!(get(&spans, &at("bytes")).await.body, [1, 2]);
    assert_eq!(get(&spans, &at("service.name?in=resource")).await.text(), "shop");
    assert_eq!(get(&spans, &at("service.name")).await.status, 404);
    assert_eq!(get(&spans, &at("x?in=event.7")).await.status, 404);
    assert_eq!(get(&spans, &at("x?in=moon")).await.status, 400);
}

#[tokio::test]
async fn skeletons_are_drawn_as_documented() {
    let path = format!("/api/v1/traces/{TRACE}/skeleton");
    let answer = get(&fake::trace(), &path).await;
    assert_eq!(answer.header("content-type"), "application/vnd.clew.skeleton");
    let body = &answer.body;
    assert_eq!(&body[..8], b"CLEWSK01");
    let header_end = 16 + u32::from_le_bytes(body[8..12].try_into().unwrap()) as usize;
    let header: Json = serde_json::from_slice(&body[16..header_end]).unwrap();
    assert_eq!(header["spans"], 3);
    assert_eq!(header["traceStart"], (fake::START + 1_000).to_string());
    let columns = &body[header_end..];
    let double = |at: usize| f64::from_le_bytes(columns[at..at + 8].try_into().unwrap());
    assert_eq!([double(0), double(8), double(16)], [0.0, 1.0, 2.0], "starts");
    assert_eq!([double(24), double(32)], [123.0, 123.0], "durations");
    assert_eq!(&columns[48..64], [[255; 4], [0; 4], [0; 4], [0; 4]].concat(), "parents, padded");
    assert_eq!(&columns[64..72], [0, 0, 0, 0, 1, 0, 0, 0], "the first span's id: high half, low half");
    // 8 doubles and ids of 24, five words of 16, two of bytes at 8, three of 8 or 16.
    assert_eq!(columns.len(), 24 + 24 + 16 + 24 + 4 * 16 + 8 + 8 + 8 + 16 + 16 + 8);
    assert_eq!(body.len() % 8, 0);

    let tag = answer.header("etag");
    let line = format!("GET {path}");
    for known in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}")] {
        let again = ask(&fake::trace(), &line, &[("if-none-match", &known)], "").await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0), "{known}");
    }
    assert_eq!(ask(&fake::trace(), &line, &[("if-none-match", "\"x\"")], "").await.status, 200);
}

#[tokio::test]
async fn traces_are_found_and_summed_up() {
    for (query, count) in [
        ("", 1),
        ("?q=service:%3Dshop", 1),
        ("?q=service:%3Dnone", 0),
        ("?to=1", 0),
        ("?from=2024-01-01T00:00:00Z", 1),
    ] {
        let answer = get(&fake::trace(), &format!("/api/v1/traces{query}")).await.json();
        assert_eq!(answer["traces"].as_array().unwrap().len(), count, "{query}");
    }
    let answer = get(&fake::trace(), "/api/v1/traces").await.json();
    let trace = &answer["traces"][0];
    assert_eq!(
        (&trace["status"], &trace["ownStatus"], &trace["cost"]),
        (&json!("error"), &json!("unset"), &json!("NaN"))
    );
}

#[tokio::test]
async fn queries_are_parsed() {
    let valid = get(&[], "/api/v1/query/parse?q=kind:tool%20AND%20a:1").await.json();
    assert_eq!(valid, json!({"valid": true, "canonical": "kind:tool a:1", "error": null}));
    let invalid = get(&[], "/api/v1/query/parse?q=kind:").await.json();
    assert_eq!((&invalid["valid"], &invalid["error"]["at"]), (&json!(false), &json!(4)));
}

#[tokio::test]
async fn logs_and_metrics() {
    let log = get(&[], &format!("/api/logs?trace_id={TRACE}")).await.json()["logs"][0].clone();
    assert_eq!((&log["traceId"], &log["body"]["value"]), (&json!(TRACE), &json!(i64::MAX.to_string())));
    let series = get(&[], "/api/v1/metrics/requests").await.json()["series"].clone();
    let values: Vec<Vec<Json>> = series
        .as_array()
        .unwrap()
        .iter()
        .map(|each| each["points"].as_array().unwrap().iter().map(|point| point["value"].clone()).collect())
        .collect();
    assert_eq!(values, [vec![json!(1), json!(i64::MIN.to_string())], vec![json!("Infinity")]]);
    let exemplars: Vec<_> =
        series[0]["points"].as_array().unwrap().iter().map(|point| &point["exemplars"]).collect();
    let user = json!({"key": "user", "type": "string", "value": "ada", "length": 3, "truncated": false});
    let exemplar = json!({"time": "7", "value": 3, "traceId": TRACE, "spanId": "00f067aa0ba902b7", "attributes": [user]});
    assert_eq!(exemplars, [&json!([exemplar]), &json!([])]);
    expect![[r#"{"fields":[{"key":"http.route","scope":"span","types":["string"],"alias":null}],"complete":true,"incompleteReason":null}"#]]
        .assert_eq(get(&[], "/api/v1/fields").await.text());
    expect![[r#"{"values":[{"value":"a/b","count":"1000"}],"complete":true,"incompleteReason":null}"#]]
        .assert_eq(get(&[], "/api/v1/fields/a%2Fb/values?limit=5000").await.text());
}
