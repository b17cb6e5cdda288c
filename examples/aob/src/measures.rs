//! What the engine and the services count.

use crate::error::Error;
use crate::guard::Verdict;
use crate::run::{Mode, Run};
use crate::workflow::{Edge, Node};
use clew_sdk::opentelemetry::metrics::{Counter, Histogram};
use clew_sdk::opentelemetry::{KeyValue, global};
use std::time::Duration;

/// Workflows, nodes, decisions and errors.
#[derive(Debug)]
pub struct Measures {
    workflows: Counter<u64>,
    workflow_duration: Histogram<f64>,
    nodes: Counter<u64>,
    decisions: Counter<u64>,
    policy_duration: Histogram<f64>,
    errors: Counter<u64>,
}

impl Measures {
    pub fn new() -> Self {
        let meter = global::meter("aob.engine");
        let seconds = |name| meter.f64_histogram(name).with_unit("s").build();
        Self {
            workflows: meter.u64_counter("aob_workflows_total").build(),
            workflow_duration: seconds("aob_workflow_duration_seconds"),
            nodes: meter.u64_counter("aob_workflow_nodes_total").build(),
            decisions: meter.u64_counter("aob_policy_decisions_total").build(),
            policy_duration: seconds("aob_policy_duration_seconds"),
            errors: meter.u64_counter("aob_errors_total").build(),
        }
    }

    /// A run, or a part of it, is done.
    pub fn workflow(&self, run: &Run, state: &'static str, took: Duration) {
        let about = [
            KeyValue::new("workflow_name", run.workflow.name.clone()),
            KeyValue::new("status", state),
            KeyValue::new("replay", run.mode == Mode::Replay),
        ];
        self.workflows.add(1, &about);
        self.workflow_duration.record(took.as_secs_f64(), &about);
    }

    /// A node is entered.
    pub fn node(&self, run: &Run, node: &Node) {
        let name = KeyValue::new("workflow_name", run.workflow.name.clone());
        self.nodes.add(1, &[name, KeyValue::new("node_kind", node.kind.name())]);
    }

    /// A policy decided; an edge without policies counts under no name.
    pub fn decision(&self, edge: &Edge, verdict: &Verdict) {
        let about = [
            KeyValue::new("policy_name", edge.policies.join(",")),
            KeyValue::new("decision", verdict.decision()),
        ];
        self.decisions.add(1, &about);
        self.policy_duration.record(verdict.took.as_secs_f64(), &about);
    }

    /// Something failed.
    pub fn error(&self, error: &Error) {
        self.errors.add(1, &[KeyValue::new("error_type", error.kind())]);
    }
}

/// Requests to a service.
#[derive(Debug, Clone)]
pub struct Requests {
    count: Counter<u64>,
    duration: Histogram<f64>,
}

impl Requests {
    pub fn new() -> Self {
        let meter = global::meter("aob.http");
        Self {
            count: meter.u64_counter("aob_requests_total").build(),
            duration: meter.f64_histogram("aob_request_duration_seconds").with_unit("s").build(),
        }
    }

    /// A request is answered. The path is its route: paths have no end.
    pub fn answered(&self, method: &str, path: &str, status: u16, took: Duration) {
        let about = [
            KeyValue::new("method", method.to_owned()),
            KeyValue::new("path", path.to_owned()),
            KeyValue::new("status_code", i64::from(status)),
        ];
        self.count.add(1, &about);
        self.duration.record(took.as_secs_f64(), &about);
    }
}
