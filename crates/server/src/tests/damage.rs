//! Answers of a store of which a block cannot be read: each says what it lacks.

use super::fake::{self, FakeEngine};
use super::{TRACE, ask_of};
use crate::api::openapi::PATHS;

const WHY: &str = "1 of 4 blocks searched is damaged or missing; `clew doctor` names it";

/// Those that answer from what the catalog knows, or from nothing that is stored.
const CERTAIN: [&str; 12] = [
    "/api/v1/query/parse",
    "/api/v1/status",
    "/api/v1/sample",
    "/api/v1/openapi.json",
    "/api/v1/live",
    "/api/v1/everything",
    "/api/services",
    "/api/services/{service}/operations",
    "/api/operations",
    "/api/dependencies",
    "/api/traces",
    "/api/traces/{trace}",
];

fn filled(path: &str) -> String {
    let path = path.replace("{trace}", TRACE).replace("{span}", "0000000000000002");
    path.replace("{key}", "retry").replace("{name}", "requests").replace("{signal}", "traces")
}

#[tokio::test]
async fn every_answer_tells() {
    for described in PATHS.iter().filter(|described| !CERTAIN.contains(&described.path)) {
        if described.method == "delete" {
            continue;
        }
        let line = format!("{} {}", described.method.to_uppercase(), filled(described.path));
        let json = [("content-type", "application/json")];
        let ports = FakeEngine::damaged(&fake::trace(), WHY);
        let answer = ask_of(ports, &line, &json, r#"{"spanIds":["2"]}"#).await;
        assert_eq!(answer.status, 200, "{line}");
        match described.answer {
            "application/json" => {
                let told = answer.json();
                assert_eq!(
                    (&told["complete"], &told["incompleteReason"]),
                    (&false.into(), &WHY.into()),
                    "{line}"
                );
            }
            "application/vnd.clew.skeleton" => {
                assert!(String::from_utf8_lossy(&answer.body).contains(WHY), "{line}");
            }
            "application/x-ndjson" => assert_eq!(answer.header("clew-incomplete"), WHY, "{line}"),
            // Bytes of one attribute are there, or not.
            other => assert_eq!(other, "application/octet-stream", "{line}"),
        }
    }
}

#[tokio::test]
async fn jaeger_and_prometheus_are_told_as_warnings() {
    let ask = async |line: &str| ask_of(FakeEngine::damaged(&fake::trace(), WHY), line, &[], "").await.json();
    for line in [format!("GET /api/traces/{TRACE}"), "GET /api/traces?service=shop".to_owned()] {
        let told = ask(&line).await;
        assert_eq!(told["data"][0]["warnings"][0], WHY, "{line}");
        assert!(told["errors"].is_null(), "{line}");
    }
    assert_eq!(ask("GET /api/traces?service=nobody").await["errors"][0]["msg"], WHY);
    for line in [
        "GET /prometheus/api/v1/query?query=up",
        "GET /prometheus/api/v1/labels",
        "GET /prometheus/api/v1/label/job/values",
        "GET /prometheus/api/v1/series?match[]=up",
        "GET /prometheus/api/v1/metadata",
        "GET /prometheus/api/v1/query_exemplars?query=up&start=0&end=1",
    ] {
        assert_eq!(ask(line).await["warnings"][0], WHY, "{line}");
    }
}
