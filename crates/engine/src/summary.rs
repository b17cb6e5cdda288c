//! A trace in one line: counts, totals, and what was asked of the agent.

use crate::account::Accounts;
use crate::outline::Outline;
use crate::skeleton;
use model::TraceId;
use query::result::{SkeletonRow, TraceSummary, Unnamed, flag};
use semconv::NodeKind;
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

/// The most agents, services and models that a summary names.
const NAMES: usize = 20;
/// Characters of the user's input that a summary shows.
const INPUT_CHARACTERS: usize = 200;

/// Sums a trace up, of which the outline is settled; `None` when no span of it is there.
pub fn build(trace_id: TraceId, mut outline: Outline) -> Option<TraceSummary> {
    outline.sort_by_start();
    let totals = totals(&mut outline);
    let skeleton = skeleton::build(trace_id, outline, &HashSet::new())?;
    let root = skeleton.rows.iter().find(|row| row.parent.is_none() && row.flags & flag::ORPHAN == 0);
    let root = root.or_else(|| skeleton.rows.iter().min_by_key(|row| row.start))?;
    let end = skeleton.rows.iter().map(|row| row.end.max(row.start)).max()?;
    let text = |texts: &[String], place: u32| texts.get(place as usize).cloned().unwrap_or_default();
    let (agents, unnamed_agents) = in_order(&skeleton.rows, &skeleton.agents, |row| row.agent);
    let (services, unnamed_services) = in_order(&skeleton.rows, &skeleton.services, |row| row.service);
    Some(TraceSummary {
        trace_id,
        root_name: text(&skeleton.names, root.name),
        root_service: text(&skeleton.services, root.service),
        root_kind: skeleton::kind_of(root).as_str(),
        start: skeleton.start,
        duration: end.0.saturating_sub(skeleton.start.0),
        own_status: i32::from(root.status),
        spans: skeleton.rows.len() as u64,
        errors: skeleton.rows.iter().filter(|row| row.status == 2).count() as u64,
        agents,
        services,
        unnamed: Unnamed { agents: unnamed_agents, services: unnamed_services, ..totals.unnamed },
        kinds: kinds(&skeleton.rows),
        running: skeleton.rows.iter().any(|row| row.flags & flag::RUNNING != 0),
        orphans: skeleton.orphans,
        ..totals
    })
}

/// The names that the first spans of the tree have, and how many there are beyond these.
fn in_order(
    rows: &[SkeletonRow],
    names: &[String],
    place: impl Fn(&SkeletonRow) -> u32,
) -> (Vec<String>, u64) {
    let mut seen = vec![false; names.len()];
    let (mut first, mut more) = (Vec::new(), 0);
    for place in rows.iter().map(|row| place(row) as usize).filter(|place| *place > 0) {
        if let (Some(seen @ false), Some(name)) = (seen.get_mut(place), names.get(place)) {
            *seen = true;
            if first.len() < NAMES {
                first.push(name.clone());
            } else {
                more += 1;
            }
        }
    }
    (first, more)
}

fn kinds(rows: &[SkeletonRow]) -> Vec<(&'static str, u64)> {
    let mut counts: BTreeMap<NodeKind, u64> = BTreeMap::new();
    for row in rows {
        *counts.entry(skeleton::kind_of(row)).or_default() += 1;
    }
    counts.into_iter().map(|(kind, count)| (kind.as_str(), count)).collect()
}

/// What else the spans say, which are in the order of their start: usage, models, input.
fn totals(outline: &mut Outline) -> TraceSummary {
    let mut totals = TraceSummary { account: Accounts::of(outline).total(), ..TraceSummary::default() };
    let tables = &outline.tables;
    let text = |conversation: u32| tables.conversations.get(conversation).map(str::to_owned);
    let mut conversations = outline.spans.iter().map(|span| span.conversation).filter(|place| *place > 0);
    totals.conversation = conversations.next().and_then(text);
    let mut models = HashSet::new();
    for model in outline.spans.iter().map(|span| span.model).filter(|place| *place > 0) {
        if models.insert(model) && totals.models.len() < NAMES {
            totals.models.extend(tables.models.get(model).map(str::to_owned));
        }
    }
    totals.unnamed.models = (models.len() - totals.models.len()) as u64;
    totals.input = outline.first_input();
    totals
}

/// The text of the last user message, or the text itself when it is not a list of messages.
pub fn first_input(content: &str) -> Option<String> {
    let shorten = |text: &str| text.trim().chars().take(INPUT_CHARACTERS).collect::<String>();
    let messages = match serde_json::from_str(content) {
        Ok(Value::Array(messages)) => messages,
        Ok(Value::Object(mut fields)) => {
            match fields.remove("messages").or_else(|| fields.remove("prompt")) {
                Some(Value::Array(messages)) => messages,
                Some(Value::String(text)) => return Some(shorten(&text)),
                _ => return Some(shorten(content)),
            }
        }
        _ => return Some(shorten(content)).filter(|text| !text.is_empty()),
    };
    let text = messages.iter().rev().find_map(user_text)?;
    Some(shorten(text))
}

/// What a message of the user's says; some write it as a pair of role and text.
fn user_text(message: &Value) -> Option<&str> {
    if message[0] == "user" {
        return message[1].as_str();
    }
    let parts = message["parts"].as_array().or_else(|| message["content"].as_array());
    let said = |part: &'_ Value| part["content"].is_string() || part["text"].is_string();
    let part = parts.and_then(|parts| parts.iter().find(|part| said(part)));
    let text = part.and_then(|part| part["content"].as_str().or_else(|| part["text"].as_str()));
    text.or_else(|| message["content"].as_str()).filter(|_| message["role"] == "user")
}
