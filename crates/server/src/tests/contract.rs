//! Holds `openapi.json` to the router, and real answers to `openapi.json`.

use super::{TRACE, ask, fake, get};
use crate::api::openapi::PATHS;
use std::collections::BTreeSet;

fn filled(path: &str) -> String {
    path.replace("{trace}", TRACE)
        .replace("{span}", "0000000000000002")
        .replace("{key}", "retry")
        .replace("{name}", "requests")
        .replace("{service}", "shop")
        .replace("{signal}", "traces")
}

#[tokio::test]
async fn what_is_described_is_answered_as_described() {
    for described in PATHS.iter().filter(|described| described.answer != "text/event-stream") {
        let line = format!("{} {}", described.method.to_uppercase(), filled(described.path));
        let line = if described.path == "/api/operations" { line + "?service=shop" } else { line };
        let body = r#"{"spanIds":["2"]}"#;
        let answer = ask(&fake::trace(), &line, &[("content-type", "application/json")], body).await;
        assert_eq!(answer.status, 200, "{line}: {}", answer.text());
        if described.answer == "application/json" {
            assert_eq!(answer.header("content-type"), "application/json", "{line}");
            let json = answer.json();
            let keys: BTreeSet<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(keys, described.keys.iter().copied().collect(), "{line}");
        }
    }
}

#[tokio::test]
async fn what_is_routed_is_described() {
    let sources = [("/api/v1", include_str!("../api/mod.rs")), ("/api", include_str!("../jaeger/mod.rs"))];
    let mut routed = BTreeSet::new();
    for (prefix, source) in sources {
        for route in source.split(".route(\"").skip(1) {
            let (path, rest) = route.split_once("\", ").unwrap();
            let method = rest.split('(').next().unwrap();
            routed.insert((format!("{prefix}{path}"), method));
        }
    }
    for kind in query::EntityKind::ALL.map(query::EntityKind::plural) {
        routed.insert((format!("/api/v1/{kind}"), "get"));
        routed.insert((format!("/api/v1/{kind}/{{name}}"), "get"));
    }
    let described: BTreeSet<_> = PATHS.iter().map(|each| (each.path.to_owned(), each.method)).collect();
    assert_eq!(routed, described);
    let document = get(&[], "/api/v1/openapi.json").await.json();
    let methods = |path: &serde_json::Value| path.as_object().unwrap().len();
    assert_eq!(document["paths"].as_object().unwrap().values().map(methods).sum::<usize>(), PATHS.len());
}

#[tokio::test]
async fn what_is_documented_is_routed() {
    let prose = include_str!("../../../../docs/api.md");
    for path in PATHS.iter().map(|described| described.path) {
        let names =
            [("{trace}", "{traceId}"), ("{span}", "{spanId}"), ("/api/traces/{traceId}", "/api/traces/{id}")];
        let said = names.iter().fold(path.to_owned(), |path, (ours, prose)| path.replace(ours, prose));
        let short = said
            .split_once("/spans/{spanId}/")
            .map_or(said.clone(), |(_, end)| format!("…/spans/{{spanId}}/{end}"));
        assert!(prose.contains(&said) || prose.contains(&short), "docs/api.md does not tell of {said}");
    }
}

#[tokio::test]
async fn errors_have_one_form() {
    for (line, status, kind, at) in [
        ("GET /api/v1/nothing", 404, "notFound", None),
        ("GET /api/v1", 404, "notFound", None),
        ("GET /api", 404, "notFound", None),
        ("GET /api/v2/spans", 404, "notFound", None),
        ("POST /api/v1/traces", 405, "invalid", None),
        ("DELETE /api/services", 405, "invalid", None),
        ("GET /api/v1/traces?q=kind:", 400, "invalid", Some(4)),
        ("GET /api/v1/traces?limit=many", 400, "invalid", None),
        ("GET /api/v1/traces?from=yesterday", 400, "invalid", None),
        ("GET /api/v1/traces?from=now&to=now-1h", 400, "invalid", None),
        ("GET /api/v1/traces/xyz", 400, "invalid", None),
        ("GET /api/v1/traces/%ff", 400, "invalid", None),
        ("GET /api/v1/traces/0123", 404, "notFound", None),
        ("GET /api/v1/traces/0123/skeleton", 404, "notFound", None),
        ("GET /api/v1/traces/0123/spans/1", 404, "notFound", None),
        ("POST /api/v1/traces/0123/spans:batch", 400, "invalid", None),
    ] {
        let answer = ask(&fake::trace(), line, &[], "").await;
        assert_eq!(answer.status, status, "{line}: {}", answer.text());
        let error = &answer.json()["error"];
        assert_eq!(error["kind"], kind, "{line}");
        assert_eq!(error["at"].as_u64(), at, "{line}");
        assert!(!error["message"].as_str().unwrap().is_empty(), "{line}");
    }
}

#[tokio::test]
async fn requests_are_bounded() {
    let many = vec!["\"1\""; 201].join(",");
    let line = format!("POST /api/v1/traces/{TRACE}/spans:batch");
    let json = [("content-type", "application/json")];
    let answer = ask(&[], &line, &json, &format!("{{\"spanIds\":[{many}]}}")).await;
    assert_eq!(answer.status, 400);
    let answer = ask(&[], &line, &json, &" ".repeat((1 << 20) + 1)).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["error"]["kind"]), (413, &"invalid".into()));
}

#[tokio::test]
async fn tenants_are_apart() {
    let path = format!("GET /api/v1/traces/{TRACE}");
    for (tenant, status) in [("default", 200), ("other", 404), ("../etc", 400)] {
        let answer = ask(&fake::trace(), &path, &[("x-scope-orgid", tenant)], "").await;
        assert_eq!(answer.status, status, "{tenant}");
    }
}
