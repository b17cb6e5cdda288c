//! Runs workflows: from the start, on from an approval, or again from a snapshot.

use crate::error::Error;
use crate::gateways::Gateways;
use crate::guard::Guard;
use crate::measures::Measures;
use crate::node::Step;
use crate::run::{Mode, Outcome, Run};
use crate::store::{Event, Kept, Store};
use crate::telemetry;
use crate::workflow::{Edge, START, Workflows};
use clew_sdk::opentelemetry::Context;
use clew_sdk::opentelemetry::trace::TraceContextExt;
use clew_sdk::{Span, Start};
use serde_json::json;
use std::time::{Duration, Instant, UNIX_EPOCH};

/// The workflow engine.
#[derive(Debug)]
pub struct Engine {
    pub workflows: Workflows,
    pub store: Store,
    pub guard: Guard,
    pub gateways: Gateways,
    pub measures: Measures,
}

/// A run that the engine is done with for now.
#[derive(Debug)]
pub struct Ended {
    pub run: Run,
    pub trace_id: String,
    pub result: Result<Outcome, Error>,
}

impl Engine {
    /// Begins a run.
    pub async fn start(&self, run: Run) -> Result<Ended, Error> {
        let span = execution(&run, &Context::current()).start();
        let headers = telemetry::headers_of(span.context());
        clew_sdk::within(span.context().clone(), self.store.begin(&run, &headers)).await?;
        let first = edge_after(&run, START)?;
        Ok(Box::pin(self.go(run, first, span)).await)
    }

    /// Goes on with a run that waits, in the trace that it began in; the request that makes it go on links there and back.
    pub async fn resume(&self, mut kept: Kept, approval: bool) -> Result<Ended, Error> {
        let not_waiting = || Error::NotWaiting { id: kept.run.id.clone(), state: kept.state.clone() };
        let waiting = kept.waiting.clone().ok_or_else(not_waiting)?;
        self.store.take(&kept).await?;
        kept.run.approve(approval);
        let request = Context::current();
        let original = clew_sdk::extract(&kept.execution);
        let start = execution(&kept.run, &original).set("workflow.resumed", true);
        let span = start.link(request.span().span_context().clone()).start();
        request.span().add_link(span.context().span().span_context().clone(), Vec::new());
        let status = if approval { "approved" } else { "rejected" };
        let began = UNIX_EPOCH + Duration::from_nanos(waiting.since);
        let node = clew_sdk::extract(&waiting.headers);
        telemetry::waited(
            "human.wait",
            &node,
            began,
            &[
                ("approval.id", format!("{}/{}", kept.run.id, waiting.node)),
                ("approval.status", status.to_owned()),
                ("node.id", waiting.node.clone()),
            ],
        );
        let edge = edge_after(&kept.run, &waiting.node)?;
        let kind = if approval { "human.approved" } else { "human.rejected" };
        let event = Event { kind, node: Some(&waiting.node), payload: json!({"approval": approval}) };
        clew_sdk::within(span.context().clone(), self.store.append(&mut kept.run, event)).await?;
        if approval {
            return Ok(Box::pin(self.go(kept.run, edge, span)).await);
        }
        let outcome = Outcome::Denied { node: waiting.node, rules: vec!["approval".to_owned()] };
        clew_sdk::within(span.context().clone(), self.store.settle(&kept.run, "rejected", None)).await?;
        Ok(ended(kept.run, &span, Ok(outcome)))
    }

    /// Does the rest of a run again, from what it knew after a node. Nothing of it is kept but its trace.
    pub async fn replay(&self, kept: Kept, snapshot: i64) -> Result<Ended, Error> {
        let snapshots = self.store.snapshots(&kept.run.id).await?;
        let found = snapshots.into_iter().find(|(id, ..)| *id == snapshot);
        let (_, node, context) = found.ok_or(Error::UnknownSnapshot { id: snapshot })?;
        let approval = kept.run.is_approved();
        let mut run = Run { context, mode: Mode::Replay, ..kept.run };
        run.approve(approval);
        let original = clew_sdk::extract(&kept.execution).span().span_context().clone();
        let request = Context::current();
        request.span().add_link(original.clone(), Vec::new());
        let start = execution(&run, &request).set("replay", true).set("replay.snapshot_id", snapshot);
        let span = start.link(original).start();
        let edge = edge_after(&run, &node)?;
        Ok(Box::pin(self.go(run, edge, span)).await)
    }

    async fn go(&self, mut run: Run, first: Option<Edge>, span: Span) -> Ended {
        let began = Instant::now();
        let walk = Box::pin(self.walk(&mut run, first));
        let result = clew_sdk::within(span.context().clone(), walk).await;
        let state = result.as_ref().map_or("failed", Outcome::state);
        span.set("workflow.state", state);
        match &result {
            Err(error) => span.fail(error.kind(), error.to_string()),
            Ok(Outcome::Completed) => span.succeed(),
            Ok(_) => (),
        }
        self.measures.workflow(&run, state, began.elapsed());
        ended(run, &span, result)
    }

    async fn walk(&self, run: &mut Run, first: Option<Edge>) -> Result<Outcome, Error> {
        let mut edge = first;
        while let Some(current) = edge {
            edge = match Box::pin(self.step(run, &current)).await {
                Ok(Step::Next(next)) => next,
                Ok(Step::Stop(outcome)) => return Ok(outcome),
                Err(error) => {
                    self.store.settle(run, "failed", None).await?;
                    return Err(error);
                }
            };
        }
        self.store.append(run, Event { kind: "workflow.completed", node: None, payload: json!({}) }).await?;
        self.store.settle(run, Outcome::Completed.state(), None).await?;
        Ok(Outcome::Completed)
    }
}

/// The span of a run, or of a part of it.
fn execution(run: &Run, parent: &Context) -> Start {
    let start = clew_sdk::span("workflow.execution").parent(parent).scope("aob.engine");
    let start = start.set("gen_ai.operation.name", "invoke_workflow");
    start.set("gen_ai.workflow.name", run.workflow.name.clone())
}

/// The way on from a node; a workflow may have changed since the run began.
fn edge_after(run: &Run, node: &str) -> Result<Option<Edge>, Error> {
    let known = node == START || run.workflow.node(node).is_some();
    if !known {
        return Err(Error::Invalid(format!(
            "the workflow `{}` has no node `{node}` any more",
            run.workflow.name
        )));
    }
    Ok(run.workflow.edge_from(node).cloned())
}

fn ended(run: Run, span: &Span, result: Result<Outcome, Error>) -> Ended {
    span.end();
    let trace_id = span.context().span().span_context().trace_id().to_string();
    Ended { run, trace_id, result }
}
