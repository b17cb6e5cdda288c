//! The model calls of a trace or a conversation as one reads them: of each, what is new against the call before it of
//! the same agent, for agents send all that was said again with every call.

use super::entities::{self, Asked as Question};
use super::generation::Asked;
use super::messages::{self, Said};
use super::{parameters, spans};
use crate::api::State;
use crate::error::ApiError;
use crate::extract::Query;
use crate::tenant::Tenant;
use axum::Json;
use axum::extract::{Path, State as From};
use model::{Span, SpanId, TenantId, TraceId};
use query::result::{Skeleton, SkeletonRow, flag};
use semconv::{Meaning, NodeKind, Usage};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

/// Bodies that are in memory at the same time.
const AT_ONCE: usize = 20;
const LIMIT: usize = 100;
const MOST: usize = 1_000;

#[derive(Deserialize)]
pub struct Limit {
    #[serde(default, deserialize_with = "parameters::number")]
    limit: Option<usize>,
}

pub async fn of_trace(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(trace): Path<String>,
    Query(asked): Query<Limit>,
) -> Result<Json<Value>, ApiError> {
    let trace = parameters::trace_id(&trace)?;
    let mut reading = Reading::new(&state, &tenant, asked.limit);
    if !reading.read(trace).await? {
        return Err(state.not_stored(trace));
    }
    Ok(Json(json!({
        "calls": reading.calls,
        "complete": reading.complete,
        "incompleteReason": reading.incomplete,
    })))
}

pub async fn of_conversation(
    From(state): From<State>,
    Tenant(tenant): Tenant,
    Path(name): Path<String>,
    Query(asked): Query<Question>,
) -> Result<Json<Value>, ApiError> {
    let turns = entities::turns(&state, &tenant, &name, &asked).await?;
    if turns.traces.is_empty() {
        return Err(ApiError::not_found(format!("no conversation is called {name:?}")));
    }
    let mut reading = Reading::new(&state, &tenant, asked.limit);
    reading.complete = turns.cursor.is_none();
    reading.lacks(turns.incomplete.clone());
    for turn in &turns.traces {
        reading.read(turn.trace_id).await?;
    }
    Ok(Json(json!({
        "name": name,
        "calls": reading.calls,
        "complete": reading.complete,
        "incompleteReason": reading.incomplete,
    })))
}

/// What an agent's last call held.
struct Heard {
    place: (TraceId, SpanId),
    system: Option<u64>,
    /// How often each message was in it, or was its answer.
    messages: HashMap<u64, usize>,
}

struct Reading<'a> {
    state: &'a State,
    tenant: &'a TenantId,
    limit: usize,
    hasher: RandomState,
    heard: HashMap<String, Heard>,
    calls: Vec<Value>,
    complete: bool,
    /// Why calls or messages may be missing that the limit would have let through.
    incomplete: Option<String>,
}

impl<'a> Reading<'a> {
    fn new(state: &'a State, tenant: &'a TenantId, limit: Option<usize>) -> Self {
        let limit = parameters::limit(limit, LIMIT, MOST);
        let (hasher, heard) = (RandomState::new(), HashMap::new());
        Self { state, tenant, limit, hasher, heard, calls: Vec::new(), complete: true, incomplete: None }
    }

    /// Notes why something may be missing.
    fn lacks(&mut self, why: Option<String>) {
        self.complete &= why.is_none();
        self.incomplete = self.incomplete.take().or(why);
    }

    /// Adds the calls of a trace; whether that is stored.
    async fn read(&mut self, trace: TraceId) -> Result<bool, ApiError> {
        let Some(skeleton) = self.state.engine().skeleton(self.tenant, trace).await? else {
            return Ok(false);
        };
        self.lacks(skeleton.incomplete.clone());
        let calls = model_calls(&skeleton);
        // A large one lets other questions wait.
        drop(skeleton);
        let wanted = calls.len().min(self.limit - self.calls.len());
        self.complete &= wanted == calls.len();
        let mut told: Option<spans::Told> = None;
        for some in calls.get(..wanted).unwrap_or_default().chunks(AT_ONCE) {
            let ids: Vec<SpanId> = some.iter().map(|(span, _)| *span).collect();
            let found = self.state.engine().spans(self.tenant, trace, Some(&ids)).await?;
            self.lacks(found.incomplete);
            drop(found.held);
            let spans = found.items;
            if told.is_none() && spans.iter().any(spans::is_silent) {
                let records = spans::records(self.state, self.tenant, trace, None).await?;
                self.complete &= records.complete;
                self.lacks(records.incomplete.clone());
                told = Some(records);
            }
            for (id, agent) in some {
                if let Some(span) = spans.iter().find(|span| span.span_id == *id) {
                    let told = told.as_ref().and_then(|told| told.of.get(id)).map_or(&[][..], Vec::as_slice);
                    self.add(&Asked { span, told }, agent);
                }
            }
        }
        Ok(true)
    }

    fn add(&mut self, asked: &Asked<'_>, agent: &str) {
        let Said { system, input, output } = messages::said(asked);
        let span = asked.span;
        let input: Option<Vec<Value>> = input.map(list);
        let before = self.heard.get(agent);
        let mut known = before.map(|before| before.messages.clone()).unwrap_or_default();
        let mut is_new = |message: &&Value| match known.get_mut(&self.fingerprint(message)) {
            Some(left) if *left > 0 => {
                *left -= 1;
                false
            }
            _ => true,
        };
        let fresh = input.as_ref().map(|input| input.iter().filter(&mut is_new).cloned().collect::<Vec<_>>());
        let count = |messages: &Option<Vec<Value>>| messages.as_ref().map_or(0, Vec::len);
        let earlier = count(&input) - count(&fresh);
        let system_print = (!system.is_null()).then(|| self.hasher.hash_one(system.to_string()));
        let same_system =
            system_print.is_some() && before.is_some_and(|before| before.system == system_print);
        let mut call = about(span, asked, agent);
        call["after"] = before.map(|before| place(before.place)).into();
        call["sameSystem"] = json!(same_system);
        call["system"] = if same_system { Value::Null } else { system };
        call["earlierInput"] = json!(earlier);
        call["newInput"] = fresh.map(|fresh| messages::bounded("messages.input", Value::from(fresh))).into();
        call["output"] = output.clone().map(|output| messages::bounded("messages.output", output)).into();
        self.calls.push(call);
        let mut messages = HashMap::new();
        for message in input.into_iter().flatten().chain(output.map(list).into_iter().flatten()) {
            *messages.entry(self.fingerprint(&message)).or_default() += 1;
        }
        let heard = Heard { place: (span.trace_id, span.span_id), system: system_print, messages };
        self.heard.insert(agent.to_owned(), heard);
    }

    /// Same role and same parts: the same message.
    fn fingerprint(&self, message: &Value) -> u64 {
        self.hasher.hash_one((message["role"].as_str(), message["parts"].to_string()))
    }
}

fn list(messages: Value) -> Vec<Value> {
    match messages {
        Value::Array(messages) => messages,
        other => vec![other],
    }
}

/// The calls of models with the agents that make them, by their start. Of calls within each other, the innermost that
/// says something or, where none does, the innermost.
fn model_calls(skeleton: &Skeleton) -> Vec<(SpanId, String)> {
    let rows = &skeleton.rows;
    // 0: no call of a model; 1: a silent one; 2: one that has messages.
    let word = |row: &SkeletonRow| match NodeKind::ALL.get(usize::from(row.kind)) {
        Some(NodeKind::Llm) => 1 + u8::from(row.flags & flag::CONTENT != 0),
        _ => 0,
    };
    let (mut above, mut below) = (vec![0u8; rows.len()], vec![0u8; rows.len()]);
    for (place, row) in rows.iter().enumerate() {
        let parent =
            row.parent.and_then(|parent| Some((rows.get(parent as usize)?, *above.get(parent as usize)?)));
        if let (Some(above), Some((parent, over))) = (above.get_mut(place), parent) {
            *above = over.max(word(parent));
        }
    }
    for (place, row) in rows.iter().enumerate().rev() {
        let most = below.get(place).copied().unwrap_or_default().max(word(row));
        if let Some(below) = row.parent.and_then(|parent| below.get_mut(parent as usize)) {
            *below = most.max(*below);
        }
    }
    let around = above.into_iter().zip(below);
    let told = rows.iter().zip(around).filter(|(row, (above, below))| match word(row) {
        0 => false,
        1 => *below == 0 && *above < 2,
        _ => *below < 2,
    });
    let agent = |row: &SkeletonRow| skeleton.agents.get(row.agent as usize).cloned().unwrap_or_default();
    let mut calls: Vec<_> = told.map(|(row, _)| (row.start, row.span_id, agent(row))).collect();
    calls.sort_unstable();
    calls.into_iter().map(|(_, span, agent)| (span, agent)).collect()
}

fn place((trace, span): (TraceId, SpanId)) -> Value {
    json!({"traceId": trace.to_string(), "spanId": span.to_string()})
}

fn about(span: &Span, asked: &Asked<'_>, agent: &str) -> Value {
    let ended = Some(span.end).filter(|end| end.0 != 0);
    let usage = Usage::of(asked, |meaning| asked.number(meaning));
    let mut about = place((span.trace_id, span.span_id));
    about["name"] = json!(span.name);
    about["agent"] = json!(agent);
    about["model"] = json!(asked.meaning(Meaning::Model));
    about["start"] = json!(span.start.0.to_string());
    about["duration"] = json!(ended.map(|end| end.0.saturating_sub(span.start.0).to_string()));
    about["failed"] = json!(span.status.code == 2);
    about["inputTokens"] = json!(usage.map(|usage| usage.input.to_string()));
    about["outputTokens"] = json!(usage.map(|usage| usage.output.to_string()));
    about
}

#[cfg(test)]
mod tests {
    use super::model_calls;
    use model::{SpanId, Timestamp};
    use query::result::{Skeleton, SkeletonRow, flag};
    use semconv::NodeKind;

    #[test]
    fn of_calls_within_each_other_one_is_told() {
        // Each row: its parent, and whether it is a call of a model, silent or not.
        let check = |rows: &[(Option<u32>, u8)], expect: &[u64]| {
            let row = |(number, (parent, word)): (u64, &(Option<u32>, u8))| SkeletonRow {
                span_id: SpanId(number.to_be_bytes()),
                start: Timestamp(number),
                parent: *parent,
                kind: if *word > 0 { NodeKind::Llm } else { NodeKind::Agent } as u8,
                flags: if *word > 1 { flag::CONTENT } else { 0 },
                ..SkeletonRow::default()
            };
            let skeleton = Skeleton { rows: (0..).zip(rows).map(row).collect(), ..Skeleton::default() };
            let told: Vec<_> = model_calls(&skeleton).into_iter().map(|(span, _)| span).collect();
            let expect: Vec<_> = expect.iter().map(|number: &u64| SpanId(number.to_be_bytes())).collect();
            assert_eq!(told, expect, "{rows:?}");
        };
        check(&[(None, 0), (Some(0), 2), (Some(0), 2)], &[1, 2]);
        check(&[(None, 2), (Some(0), 0), (Some(1), 2)], &[2]);
        check(&[(None, 2), (Some(0), 1)], &[0]);
        check(&[(None, 1), (Some(0), 1)], &[1]);
        check(&[(None, 1), (Some(0), 2), (Some(1), 1)], &[1]);
    }
}
