//! A run of a workflow: whose it is, what it knows, what becomes of it.

use crate::telemetry::Headers;
use crate::workflow::Workflow;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::sync::Arc;

/// A run that is under way.
#[derive(Debug, Clone)]
pub struct Run {
    pub id: String,
    /// The same in all events and decisions of this run, and in no other run's.
    pub correlation_id: String,
    pub workflow: Arc<Workflow>,
    pub owner: Owner,
    /// What expressions and policies see.
    pub context: Value,
    /// The event that led to the next one.
    pub cause: Option<String>,
    /// The request that began it: what events are published below.
    pub origin: Headers,
    pub mode: Mode,
}

/// Who began a run.
#[derive(Debug, Clone, Deserialize)]
pub struct Owner {
    pub tenant: String,
    pub user: String,
}

/// Whether what happens is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    Live,
    /// Done again, to see how it goes: no events, no decisions, no state.
    Replay,
}

/// How a run stands when the engine is done with it for now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Completed,
    Waiting { node: String },
    Denied { node: String, rules: Vec<String> },
}

/// A node that waits for a person.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Waiting {
    pub node: String,
    /// Nanoseconds since 1970.
    pub since: u64,
    /// The node's span.
    pub headers: Headers,
}

impl Run {
    /// Keeps what a node gave.
    pub fn keep(&mut self, node: &str, result: Value) {
        if let Some(bag) = self.context.get_mut("bag").and_then(Value::as_object_mut) {
            bag.insert(node.to_owned(), result);
        }
    }

    /// Whether a person has agreed.
    pub fn is_approved(&self) -> bool {
        self.context.get("approval").and_then(Value::as_bool).unwrap_or_default()
    }

    /// Writes down that a person has agreed, or not.
    pub fn approve(&mut self, approval: bool) {
        if let Some(context) = self.context.as_object_mut() {
            context.insert("approval".to_owned(), json!(approval));
        }
    }

    /// What spans of this run carry.
    pub fn belongings(&self) -> [(&'static str, &str); 5] {
        [
            ("workflow.id", &self.id),
            ("workflow.name", &self.workflow.name),
            ("workflow.version", &self.workflow.version),
            ("tenant.id", &self.owner.tenant),
            ("user.id", &self.owner.user),
        ]
    }
}

impl Outcome {
    /// As it is called in answers, attributes and the database.
    pub fn state(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Waiting { .. } => "waiting",
            Self::Denied { .. } => "denied",
        }
    }

    /// The node it stopped at.
    pub fn node(&self) -> Option<&str> {
        match self {
            Self::Completed => None,
            Self::Waiting { node } | Self::Denied { node, .. } => Some(node),
        }
    }
}
