//! One step of a run: an edge's policies, then its node's work, with retries.

use crate::engine::Engine;
use crate::error::Error;
use crate::gateways::{ModelRequest, ToolRequest};
use crate::guard::{Question, Verdict};
use crate::run::{Mode, Outcome, Run, Waiting};
use crate::store::{self, Decision, Event};
use crate::telemetry;
use crate::workflow::{self, Edge, Kind, Node};
use clew_sdk::opentelemetry::{KeyValue, trace::TraceContextExt};
use clew_sdk::{Span, Start};
use serde_json::{Value, json};
use std::time::Duration;

/// Tokens that a model may answer with.
const MAX_TOKENS: i64 = 256;

/// Where a node leads.
#[derive(Debug)]
pub enum Step {
    /// Over this edge; over none at the end.
    Next(Option<Edge>),
    /// Nowhere for now.
    Stop(Outcome),
}

impl Engine {
    /// Goes over an edge into its node.
    pub async fn step(&self, run: &mut Run, edge: &Edge) -> Result<Step, Error> {
        let workflow = run.workflow.clone();
        let Some(node) = workflow.node(&edge.to) else {
            return Err(Error::Invalid(format!("an edge leads to `{}`, which is no node", edge.to)));
        };
        let span = described(node).start();
        for (key, value) in &node.labels {
            let label = KeyValue::new(format!("node.label.{key}"), value.clone());
            span.context().span().set_attribute(label);
        }
        self.measures.node(run, node);
        span.clone()
            .run(async {
                let done = Box::pin(self.enter(run, edge, node, &span)).await;
                self.left(run, node, &span, &done).await?;
                done
            })
            .await
    }

    async fn enter(&self, run: &mut Run, edge: &Edge, node: &Node, span: &Span) -> Result<Step, Error> {
        let verdict = self.evaluate(run, edge, node).await?;
        if !verdict.allowed {
            span.set("node.outcome", "denied");
            let payload =
                json!({"edge": format!("{}->{}", edge.from, edge.to), "violated": verdict.violated});
            self.store.append(run, Event { kind: "policy.denied", node: Some(&node.id), payload }).await?;
            self.store.settle(run, "denied", None).await?;
            tracing::warn!(node = node.id, violated = ?verdict.violated, "a policy denies the node");
            return Ok(Step::Stop(Outcome::Denied { node: node.id.clone(), rules: verdict.violated }));
        }
        match node.kind {
            Kind::Human => self.ask_person(run, node, span).await,
            _ => self.work(run, node, span).await,
        }
    }

    /// What a node's span and events say when it is left.
    async fn left(
        &self,
        run: &mut Run,
        node: &Node,
        span: &Span,
        done: &Result<Step, Error>,
    ) -> Result<(), Error> {
        match done {
            Ok(Step::Next(_)) => {
                span.set("execution.success", true);
                span.succeed();
            }
            Ok(Step::Stop(_)) => (),
            Err(error) => {
                span.set("execution.success", false);
                span.fail(error.kind(), error.to_string());
                self.measures.error(error);
                tracing::error!(node = node.id, %error, "the node failed");
                let payload = json!({"error": error.to_string()});
                self.store.append(run, Event { kind: "node.failed", node: Some(&node.id), payload }).await?;
            }
        }
        Ok(())
    }

    async fn evaluate(&self, run: &Run, edge: &Edge, node: &Node) -> Result<Verdict, Error> {
        let way = format!("{}->{}", edge.from, edge.to);
        let start = clew_sdk::span("policy.evaluation").scope("aob.engine").set("policy.edge", way.clone());
        let span = start.start();
        span.set_list("policy.rules", edge.policies.iter().cloned());
        span.clone()
            .run(async {
                let input = json!({
                    "node": node.id, "policies": edge.policies, "edge": way, "tenant": run.owner.tenant, "ctx": run.context,
                });
                let question = Question { rules: &edge.policies, edge: Some(&way), input };
                let verdict = self.guard.check(question).await.inspect_err(|error| {
                    span.set("policy.decision", "deny");
                    span.fail(error.kind(), error.to_string());
                })?;
                span.set("policy.decision", verdict.decision());
                span.set("policy.evaluation_time_ms", verdict.milliseconds());
                self.measures.decision(edge, &verdict);
                let decision = Decision {
                    edge: &way,
                    rules: &edge.policies,
                    decision: verdict.decision(),
                    violated: &verdict.violated,
                    evaluation_time_ms: verdict.milliseconds(),
                };
                self.store.decide(run, decision).await?;
                Ok(verdict)
            })
            .await
    }

    async fn ask_person(&self, run: &mut Run, node: &Node, span: &Span) -> Result<Step, Error> {
        let status = if run.is_approved() { "approved" } else { "waiting" };
        let start = clew_sdk::span("human.approval").scope("aob.engine").set("node.id", node.id.clone());
        let start =
            start.set("approval.id", format!("{}/{}", run.id, node.id)).set("approval.status", status);
        if run.is_approved() {
            start.start().end();
            let event =
                Event { kind: "human.approved", node: Some(&node.id), payload: json!({"approval": true}) };
            self.store.append(run, event).await?;
            return Ok(Step::Next(run.workflow.edge_from(&node.id).cloned()));
        }
        let since = store::now();
        start.start().end();
        span.set("node.outcome", "waiting");
        self.store
            .append(run, Event { kind: "human.wait", node: Some(&node.id), payload: json!({}) })
            .await?;
        let headers = telemetry::headers_of(span.context());
        let waiting = Waiting { node: node.id.clone(), since, headers };
        self.store.settle(run, "waiting", Some(&waiting)).await?;
        Ok(Step::Stop(Outcome::Waiting { node: node.id.clone() }))
    }

    async fn work(&self, run: &mut Run, node: &Node, span: &Span) -> Result<Step, Error> {
        let result = self.attempts(run, node, span).await?;
        let next = match node.kind {
            Kind::Branch => {
                let to = node.branch(&result).ok_or_else(|| {
                    Error::Invalid(format!("the branch `{}` has no case for {result}", node.id))
                })?;
                span.set("branch.taken", to.to_owned());
                run.workflow.edge(&node.id, to)
            }
            _ => run.workflow.edge_from(&node.id),
        };
        let next = next.cloned();
        run.keep(&node.id, result);
        let event = Event {
            kind: completed(node.kind),
            node: Some(&node.id),
            payload: json!({"bag": run.context.get("bag")}),
        };
        self.store.append(run, event).await?;
        // A branch is decided anew when a run is replayed from it; so nothing is kept after it.
        if run.mode == Mode::Live && node.kind != Kind::Branch {
            self.store.snapshot(run, &node.id).await?;
            self.store.settle(run, "running", None).await?;
        }
        Ok(Step::Next(next))
    }

    async fn attempts(&self, run: &Run, node: &Node, span: &Span) -> Result<Value, Error> {
        let input = workflow::evaluate(&node.expression, &run.context);
        let mut attempt = 1;
        loop {
            span.set("execution.attempt", i64::from(attempt));
            span.set("execution.retry_count", i64::from(attempt - 1));
            match self.attempt(run, node, &input, attempt.into()).await {
                Err(error) if attempt < node.max_attempts => {
                    let said = vec![
                        KeyValue::new("execution.attempt", i64::from(attempt)),
                        KeyValue::new("error.message", error.to_string()),
                    ];
                    span.event("node.retry", said);
                    tracing::warn!(node = node.id, attempt, %error, "the node is tried again");
                    let pause = node.backoff_ms.saturating_mul(1 << (attempt - 1).min(10));
                    tokio::time::sleep(Duration::from_millis(pause)).await;
                    attempt += 1;
                }
                done => return done,
            }
        }
    }

    async fn attempt(&self, run: &Run, node: &Node, input: &Value, attempt: i64) -> Result<Value, Error> {
        if let Some(model) = &node.model {
            let request = ModelRequest {
                model: model.clone(),
                tier: node.tier.clone().unwrap_or_default(),
                prompt: format!("{}: {input}", node.name),
                max_tokens: MAX_TOKENS,
            };
            return self.gateways.model(&node.name, attempt, &request).await.map(Value::String);
        }
        let Some(tool) = &node.tool else { return Ok(input.clone()) };
        let key = format!("{}/{}", run.id, node.id);
        self.gateways.tool(ToolRequest { name: tool, arguments: input, key: &key, attempt }).await
    }
}

fn described(node: &Node) -> Start {
    let start = clew_sdk::span("node.execution").scope("aob.engine");
    let start = start.set("node.id", node.id.clone()).set("node.name", node.name.clone());
    let start = start.set("node.kind", node.kind.name()).set("node.expression", node.expression.clone());
    let start = start.set("execution.max_attempts", i64::from(node.max_attempts));
    match node.kind {
        Kind::Agent => start.set("gen_ai.agent.name", node.name.clone()),
        _ => start,
    }
}

fn completed(kind: Kind) -> &'static str {
    match kind {
        Kind::Task => "task.completed",
        Kind::Agent => "agent.completed",
        Kind::Tool => "tool.completed",
        Kind::Human => "human.approved",
        Kind::Branch => "branch.taken",
    }
}
