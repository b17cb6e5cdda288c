//! Answers for policies over OPA's data API; the policies are in Rego, in the folder `policies`.

use crate::error::Error;
use axum::extract::{Path, State};
use axum::routing::post;
use axum::{Json, Router};
use regorus::Engine;
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::Path as FilePath;
use std::sync::Arc;

/// What is asked: `POST /v1/data/aob` with `{"input": ...}`.
#[derive(Debug, Deserialize)]
struct Question {
    #[serde(default)]
    input: Value,
}

/// The service, with all policies of a folder.
pub fn router(folder: &FilePath) -> Result<Router, Error> {
    let mut engine = Engine::new();
    for entry in std::fs::read_dir(folder).map_err(|source| Error::file(folder, source))? {
        let path = entry.map_err(|source| Error::file(folder, source))?.path();
        if path.extension().is_some_and(|extension| extension == "rego") {
            add(&mut engine, &path)?;
        }
    }
    Ok(Router::new().route("/v1/data/{*path}", post(data)).with_state(Arc::new(engine)))
}

fn add(engine: &mut Engine, path: &FilePath) -> Result<(), Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::file(path, source))?;
    let added = engine.add_policy(path.display().to_string(), text);
    added.map(drop).map_err(|error| Error::Policies(error.to_string()))
}

async fn data(
    State(policies): State<Arc<Engine>>,
    Path(path): Path<String>,
    Json(question): Json<Question>,
) -> Result<Json<Value>, Error> {
    answer(&policies, &path, question.input).map(Json)
}

/// As OPA does it: a document that is not there is an answer without a result.
fn answer(policies: &Engine, path: &str, input: Value) -> Result<Value, Error> {
    if !path.chars().all(|letter| letter.is_ascii_alphanumeric() || "_/".contains(letter)) {
        return Err(Error::Invalid(format!("`{path}` is not the path of a document")));
    }
    let failed = |error: &dyn std::fmt::Display| Error::Policies(error.to_string());
    // A copy shares the parsed policies, and has the input for itself.
    let mut engine = policies.clone();
    engine.set_input(input.into());
    let query = format!("data.{}", path.replace('/', "."));
    let found = engine.eval_query(query, false).map_err(|error| failed(&error))?;
    let value = found.result.first().and_then(|result| result.expressions.first()).map(|found| &found.value);
    match value {
        None | Some(regorus::Value::Undefined) => Ok(json!({})),
        Some(value) => {
            let text = value.to_json_str().map_err(|error| failed(&error))?;
            let result: Value = serde_json::from_str(&text)?;
            Ok(json!({"result": result}))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::answer;
    use regorus::Engine;
    use serde_json::{Value, json};

    #[test]
    fn policies_decide() {
        let mut engine = Engine::new();
        super::add(&mut engine, "policies/aob.rego".as_ref()).unwrap();
        let check = |path: &str, input: Value, expect: Value| {
            assert_eq!(answer(&engine, path, input).unwrap(), expect, "{path}");
        };
        let rules = json!(["require_human_for_risk_high"]);
        let asked = |risk: &str, approval: bool| json!({"policies": rules, "ctx": {"risk": risk, "approval": approval}});
        check("aob/allow", asked("low", false), json!({"result": true}));
        check("aob/allow", asked("high", false), json!({"result": false}));
        check("aob/violated", asked("high", false), json!({"result": ["require_human_for_risk_high"]}));
        check("aob/allow", asked("high", true), json!({"result": true}));
        check("aob/violated", json!({"policies": ["no such rule"]}), json!({"result": ["no such rule"]}));
        check("aob/tool_allow", json!({"tool": "text.uppercase"}), json!({"result": true}));
        check("aob/tool_allow", json!({"tool": "rm"}), json!({"result": false}));
        check("aob/none", json!({}), json!({}));
        assert!(answer(&engine, "aob[x]", json!({})).is_err());
    }
}
