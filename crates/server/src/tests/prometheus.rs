//! Prometheus' HTTP API.

use super::{ask, get};
use serde_json::{Value as Json, json};

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];

async fn data(path: &str) -> Json {
    let answer = get(&[], &format!("/prometheus/api/v1{path}")).await;
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json");
    let json = answer.json();
    assert_eq!(json["status"], "success", "{json}");
    json["data"].clone()
}

#[tokio::test]
async fn expressions_are_computed() {
    let answer = get(&[], "/prometheus/api/v1/query?query=up&time=1.5&lookback_delta=1m&limit=1").await;
    assert_eq!(
        answer.text(),
        concat!(
            r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"__name__":"a"},"value":[1.500,"0.5"]}]}"#,
            r#","warnings":["results truncated due to limit"],"infos":["lookback 60000"]}"#
        )
    );
    let found = data("/query_range?query=up&start=1970-01-01T00:00:10Z&end=20&step=5").await;
    assert_eq!(
        found,
        json!({"resultType": "matrix", "result": [{"metric": {"__name__": "a"}, "values": [[10, "NaN"], [20, "1"]]}]})
    );
    let form = "query=up&start=10&end=20&step=5s";
    let answer = ask(&[], "POST /prometheus/api/v1/query_range?start=1", &FORM, form).await;
    assert_eq!(answer.json()["data"], found);
}

#[tokio::test]
async fn errors_are_prometheus_own() {
    for (path, status, kind, message) in [
        ("/query?query=rate(up)", 400, "bad_data", "invalid parameter \"query\": 1:6: parse error: "),
        ("/query", 400, "bad_data", "invalid parameter \"query\": 1:1: parse error: "),
        (
            "/query?query=up&time=soon",
            400,
            "bad_data",
            "invalid parameter \"time\": invalid time value for 'time': cannot parse \"soon\" to a valid timestamp",
        ),
        (
            "/query?query=up&limit=-1",
            400,
            "bad_data",
            "invalid parameter \"limit\": limit must be non-negative",
        ),
        ("/query?query=wrong", 422, "execution", "many-to-many matching not allowed"),
        ("/query?query=slow&timeout=3s", 503, "timeout", "the query took longer than 3 s"),
        (
            "/query_range?query=up&start=5&end=4&step=1",
            400,
            "bad_data",
            "invalid parameter \"end\": end timestamp must not be before start time",
        ),
        (
            "/query_range?query=up&start=5&end=9&step=0",
            400,
            "bad_data",
            "invalid parameter \"step\": zero or negative",
        ),
        (
            "/query_range?query=up&end=9&step=0",
            400,
            "bad_data",
            "invalid parameter \"start\": cannot parse \"\"",
        ),
        (
            "/query_range?query=up&start=0&end=11002&step=1",
            400,
            "bad_data",
            "exceeded maximum resolution of 11,000 points",
        ),
        (
            "/query_range?query=up[5m]&start=0&end=1&step=1",
            400,
            "bad_data",
            "invalid parameter \"query\": invalid expression type \"range vector\" for range query",
        ),
        ("/series", 400, "bad_data", "no match[] parameter provided"),
        ("/series?match[]=up%7B", 400, "bad_data", "invalid parameter \"match[]\": 1:3: parse error: "),
        ("/series?match[]=%7B%7D", 400, "bad_data", "invalid parameter \"match[]\": "),
        ("/label/U__/values", 400, "bad_data", "invalid label name: \"\""),
        ("/nothing", 404, "not_found", "no such path"),
    ] {
        let answer = get(&[], &format!("/prometheus/api/v1{path}")).await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        let json = answer.json();
        assert_eq!((&json["status"], &json["errorType"]), (&json!("error"), &json!(kind)), "{path}");
        let said = json["error"].as_str().unwrap();
        assert!(said.starts_with(message), "{path}: {said}");
    }
    let answer = ask(&[], "DELETE /prometheus/api/v1/query", &[], "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (405, &json!("bad_data")));
    let answer = ask(&[], "GET /prometheus/api/v1/query?query=up", &[("x-scope-orgid", "a b")], "").await;
    assert_eq!((answer.status.as_u16(), &answer.json()["errorType"]), (400, &json!("bad_data")));
}

#[tokio::test]
async fn what_there_is_is_listed() {
    let found = data("/series?match[]=up&match[]=%7Bjob%3D%22x%22%7D&start=1&end=2").await;
    let series = |number: u8| json!({"__name__": format!("requests_total_{number}"), "job": "1000 2000"});
    assert_eq!(found, json!([series(0), series(1)]));
    let answer = ask(&[], "POST /prometheus/api/v1/series", &FORM, "match[]=up&match[]=down&limit=1").await;
    assert_eq!(answer.json()["data"].as_array().unwrap().len(), 1);
    assert_eq!(answer.json()["warnings"], json!(["results truncated due to limit"]));
    assert_eq!(data("/labels").await, json!(["__name__", "job"]));
    assert_eq!(data("/label/__name__/values").await, json!(["requests_total_0"]));
    assert_eq!(data("/label/U______name____/values").await, json!(["requests_total_0"]));
    assert_eq!(data("/label/nothing/values").await, json!([]));
    let metadata = json!([{"type": "counter", "help": "what was asked", "unit": ""}]);
    assert_eq!(data("/metadata?limit=5").await, json!({"requests_total": metadata}));
    assert_eq!(data("/metadata?metric=other").await, json!({}));
    assert_eq!(data("/metadata?limit=0").await, json!({}));
}

#[tokio::test]
async fn exemplars_are_shown() {
    let found = data("/query_exemplars?query=sum(rate(up%5B5m%5D))&start=1&end=2").await;
    let exemplar =
        json!({"labels": {"user": "ada", "trace_id": super::TRACE}, "value": "3", "timestamp": 1.5});
    assert_eq!(found, json!([{"seriesLabels": {"__name__": "up"}, "exemplars": [exemplar]}]));
}

#[tokio::test]
async fn expressions_are_printed_and_taken_apart() {
    assert_eq!(data("/format_query?query=sum%20by(a)(up)").await, json!("sum by (a) (up)"));
    let name = "x".repeat(60);
    assert_eq!(
        data(&format!("/format_query?query={name}%2B{name}")).await,
        json!(format!("  {name}\n+\n  {name}"))
    );
    let tree =
        data("/parse_query?query=rate(up%7Ba%3D%22b%22%7D%5B5m%5D%20offset%201m)%20%2B%20on(x)%20-down")
            .await;
    assert_eq!((&tree["type"], &tree["op"]), (&json!("binaryExpr"), &json!("+")));
    assert_eq!(tree["matching"]["card"], "one-to-one");
    assert_eq!(
        tree["lhs"]["func"],
        json!({"name": "rate", "argTypes": ["matrix"], "variadic": 0, "returnType": "vector"})
    );
    let selector = &tree["lhs"]["args"][0];
    assert_eq!(
        (&selector["type"], &selector["range"], &selector["offset"]),
        (&json!("matrixSelector"), &json!(300_000), &json!(60_000))
    );
    let matcher = json!({"name": "a", "value": "b", "type": "="});
    assert!(selector["matchers"].as_array().unwrap().contains(&matcher), "{selector}");
    assert_eq!(tree["rhs"], json!({"type": "unaryExpr", "op": "-", "expr": tree["rhs"]["expr"]}));
}

#[tokio::test]
async fn it_says_what_it_is() {
    let build = data("/status/buildinfo").await;
    assert_eq!((&build["version"], &build["application"]), (&json!("3.14.0"), &json!("Clew")));
    assert_eq!(data("/status/runtimeinfo").await["storageRetention"], "7d");
    assert_eq!(data("/status/config").await, json!({"yaml": ""}));
    assert_eq!(data("/status/flags").await["query.lookback-delta"], "5m");
    assert_eq!(data("/rules").await, json!({"groups": []}));
    assert_eq!(data("/alerts").await, json!({"alerts": []}));
    for path in ["/prometheus/-/healthy", "/prometheus/-/ready"] {
        assert_eq!(get(&[], path).await.status, 200);
    }
}
