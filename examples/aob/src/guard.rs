//! Asks OPA whether an edge may be taken, or a tool called.

use crate::database::milliseconds;
use crate::error::Error;
use crate::http_client::HttpClient;
use clew_sdk::Span;
use reqwest::Url;
use serde_json::Value;
use std::time::{Duration, Instant};

/// The policy guard.
#[derive(Debug, Clone)]
pub struct Guard {
    pub http: HttpClient,
    /// The document of policies at an OPA.
    pub opa: Url,
}

/// What OPA said.
#[derive(Debug)]
pub struct Verdict {
    pub allowed: bool,
    pub violated: Vec<String>,
    pub took: Duration,
}

/// What is asked for.
#[derive(Debug)]
pub struct Question<'a> {
    pub rules: &'a [String],
    /// `n2->n3`
    pub edge: Option<&'a str>,
    pub input: Value,
}

impl Verdict {
    /// As it is called in attributes and records.
    pub fn decision(&self) -> &'static str {
        if self.allowed { "allow" } else { "deny" }
    }

    /// How long it took to decide.
    pub fn milliseconds(&self) -> i64 {
        milliseconds(self.took)
    }
}

impl Guard {
    /// Asks; what OPA does not answer is an error, and not allowed.
    pub async fn check(&self, question: Question<'_>) -> Result<Verdict, Error> {
        let start = clew_sdk::span("policy.check").scope("aob.guard");
        let start = start.set("policy.opa_url", self.opa.origin().ascii_serialization());
        let start = match question.edge {
            Some(edge) => start.set("policy.edge", edge.to_owned()),
            None => start,
        };
        let span = start.start();
        span.set_list("policy.rules", question.rules.iter().cloned());
        span.clone()
            .run(async {
                let asked = self.ask(question.input).await;
                answered(&span, &asked);
                asked
            })
            .await
    }

    async fn ask(&self, input: Value) -> Result<Verdict, Error> {
        let began = Instant::now();
        let answer = self.http.post(&self.opa, &serde_json::json!({"input": input}), None).await?;
        let result = answer.body.get("result");
        // A document says what is violated; a rule says yes or no.
        let allowed = result.and_then(|result| result.get("allow").or(Some(result))).and_then(Value::as_bool);
        let violated = result.and_then(|result| result.get("violated")).and_then(Value::as_array);
        Ok(Verdict {
            allowed: allowed.unwrap_or_default(),
            violated: violated.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
            took: began.elapsed(),
        })
    }
}

fn answered(span: &Span, asked: &Result<Verdict, Error>) {
    match asked {
        Ok(verdict) => {
            span.set("policy.decision", verdict.decision());
            span.set("policy.evaluation_time_ms", verdict.milliseconds());
        }
        Err(error) => {
            span.set("policy.decision", false);
            span.set("policy.error", error.to_string());
            span.fail(error.kind(), error.to_string());
        }
    }
}
