//! What clients want to know of a Prometheus before they ask it. It says where it is Clew.

use super::envelope::Success;
use super::queries::LOOKBACK;
use crate::api::State;
use axum::extract::State as From;
use serde_json::json;

/// Clients tell by the version what they may ask: this is the one whose API and PromQL are here.
const VERSION: &str = "3.14.0";

pub async fn build(From(state): From<State>) -> Success {
    let revision = format!("clew-{}", state.ports.application.version());
    json!({
        "version": VERSION, "revision": revision, "branch": "", "buildUser": "", "buildDate": "",
        "goVersion": "", "application": "Clew",
    })
    .into()
}

pub async fn runtime(From(state): From<State>) -> Success {
    let application = &state.ports.application;
    let nanoseconds = i128::from(application.started().0);
    let started = jiff::Timestamp::from_nanosecond(nanoseconds).unwrap_or_default().to_string();
    json!({
        "startTime": started, "CWD": "", "reloadConfigSuccess": true, "lastConfigTime": started,
        "corruptionCount": 0, "goroutineCount": 0, "GOMAXPROCS": 0, "GOMEMLIMIT": 0, "GOGC": "", "GODEBUG": "",
        "storageRetention": application.retention().max_age,
    })
    .into()
}

/// Clew has no file such as Prometheus has.
pub async fn configuration() -> Success {
    json!({"yaml": ""}).into()
}

pub async fn flags() -> Success {
    json!({
        "query.lookback-delta": format!("{}m", LOOKBACK / 60_000), "query.max-samples": "50000000",
        "query.timeout": "2m",
    })
    .into()
}

/// There are none.
pub async fn rules() -> Success {
    json!({"groups": []}).into()
}

/// There are none.
pub async fn alerts() -> Success {
    json!({"alerts": []}).into()
}

pub async fn healthy() -> &'static str {
    "Clew is Healthy.\n"
}

pub async fn ready() -> &'static str {
    "Clew is Ready.\n"
}
