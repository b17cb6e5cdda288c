//! A trace as the run of an agent: usage and cost, state and first failure, critical path, findings.

use super::values::double;
use crate::api::{State, parameters};
use crate::computing;
use crate::error::ApiError;
use crate::tenant::Tenant;
use axum::extract::{Path, State as From};
use axum::response::Response;
use query::run::{Account, Call, Failure, Finding, Part, Run, Segment};
use serde_json::{Map, Value, json};

/// The most parts of the critical path, and retries, that are told one by one.
const MOST_TOLD: usize = 10_000;

pub async fn run(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(trace): Path<String>,
) -> Result<Response, ApiError> {
    let trace = parameters::trace_id(&trace)?;
    let run = state.engine().run(&tenant, trace).await?;
    let run = run.ok_or_else(|| state.not_stored(trace))?;
    computing::json(&state.answers, move || view(&run)).await
}

/// Why something is missing, or not told one by one.
fn incomplete(run: &Run) -> Option<String> {
    let parts = [("parts of the critical path", run.critical_path.len()), ("retries", run.retries.len())];
    let left = parts.into_iter().filter(|(_, all)| *all > MOST_TOLD);
    let left = left.map(|(what, all)| format!("only {MOST_TOLD} of {all} {what} are told one by one"));
    let reasons: Vec<String> = run.incomplete.iter().cloned().chain(left).collect();
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

fn view(run: &Run) -> Value {
    let incomplete = incomplete(run);
    json!({
        "traceId": run.trace_id.to_string(),
        "state": run.state.as_str(),
        "total": account(&run.total),
        "byModel": named(&run.by_model),
        "byAgent": named(&run.by_agent),
        "calls": run.calls.iter().map(call).collect::<Vec<_>>(),
        "firstFailure": run.first_failure.as_ref().map(failure),
        "criticalPath": {
            "length": length(&run.critical_path, None).to_string(),
            "parts": parts(&run.critical_path),
            "segments": run.critical_path.iter().take(MOST_TOLD).map(segment).collect::<Vec<_>>(),
        },
        "retries": run.retries.iter().take(MOST_TOLD).map(|retry| {
            json!({"spanId": retry.span_id.to_string(), "of": retry.of.to_string()})
        }).collect::<Vec<_>>(),
        "waits": {"approval": run.waits.approval.to_string(), "queue": run.waits.queue.to_string()},
        "findings": run.findings.iter().map(finding).collect::<Vec<_>>(),
        "complete": incomplete.is_none(),
        "incompleteReason": incomplete,
    })
}

/// What was used and cost.
pub fn account(account: &Account) -> Value {
    let usage = &account.usage;
    json!({
        "calls": account.calls,
        "inputTokens": usage.input.to_string(),
        "outputTokens": usage.output.to_string(),
        "cachedTokens": usage.cache_read.to_string(),
        "cacheWriteTokens": usage.cache_write.to_string(),
        "reasoningTokens": usage.reasoning.to_string(),
        "audioInputTokens": usage.audio_input.to_string(),
        "audioOutputTokens": usage.audio_output.to_string(),
        "cost": account.cost.map(double),
        "reportedCost": account.reported.map(double),
        "computedCost": account.computed.map(double),
        "unpricedModels": account.unpriced,
    })
}

fn named(accounts: &[(String, Account)]) -> Vec<Value> {
    let one = |(name, sum): &(String, Account)| {
        let mut shown = account(sum);
        shown["name"] = json!(name);
        shown
    };
    accounts.iter().map(one).collect()
}

fn call(call: &Call) -> Value {
    let lines = |lines: &[(&str, u64, f64, f64)]| -> Vec<Value> {
        let line = |(class, tokens, rate, dollars): &(&str, u64, f64, f64)| {
            json!({
                "class": class,
                "tokens": tokens.to_string(),
                "dollarsPerMillion": double(*rate),
                "dollars": double(*dollars),
            })
        };
        lines.iter().map(line).collect()
    };
    let bill = call.bill.as_ref().map(|bill| {
        json!({
            "dollars": double(bill.dollars),
            "price": bill.price,
            "version": bill.version,
            "lines": lines(&bill.lines),
        })
    });
    let usage = &call.usage;
    json!({
        "spanId": call.span_id.to_string(),
        "counted": call.counted.reason().is_none(),
        "notCountedBecause": call.counted.reason(),
        "provider": call.provider,
        "model": call.model,
        "duration": call.duration.map(|duration| duration.to_string()),
        "timeToFirstTokenMs": call.time_to_first_token.map(|seconds| double(seconds * 1_000.0)),
        "tokensPerSecond": call.tokens_per_second().map(double),
        "inputTokens": usage.input.to_string(),
        "outputTokens": usage.output.to_string(),
        "cachedTokens": usage.cache_read.to_string(),
        "cacheWriteTokens": usage.cache_write.to_string(),
        "reasoningTokens": usage.reasoning.to_string(),
        "basis": usage.basis.as_str(),
        "reportedCost": call.reported.map(double),
        "computedCost": bill,
    })
}

fn failure(failure: &Failure) -> Value {
    json!({
        "spanId": failure.span_id.to_string(),
        "name": failure.name,
        "kind": failure.kind.as_str(),
        "message": failure.message,
        "errorType": failure.error_type,
        "failedSpans": failure.failures,
    })
}

fn parts(path: &[Segment]) -> Value {
    let parts = Part::ALL.map(|part| (part.as_str().to_owned(), json!(length(path, Some(part)).to_string())));
    Value::Object(parts.into_iter().collect::<Map<_, _>>())
}

fn length(path: &[Segment], part: Option<Part>) -> u64 {
    let wanted = path.iter().filter(|segment| part.is_none_or(|part| segment.part == part));
    wanted.map(|segment| segment.length).sum()
}

fn segment(segment: &Segment) -> Value {
    json!({
        "spanId": segment.span_id.to_string(),
        "start": segment.start.0.to_string(),
        "length": segment.length.to_string(),
        "part": segment.part.as_str(),
    })
}

fn finding(finding: &Finding) -> Value {
    json!({
        "kind": finding.kind,
        "spanId": finding.span_id.map(|span| span.to_string()),
        "detail": finding.detail,
    })
}
