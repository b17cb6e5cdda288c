//! Makes the agent's parts visible: each part, wrapped, does what it did and is a span while it does. This is all the
//! tracing that the agent has; the parts themselves know nothing of it.

use crate::agent::{Agent, Reply};
use crate::failure::Failure;
use crate::library::{Passage, Retriever};
use crate::memory::Memory;
use crate::model::{Answer, Embedded, Embedder, Model, Settings};
use crate::names::Names;
use crate::openai::{Message, Role, ToolCall, ToolDefinition};
use crate::planner::{Planner, Step};
use crate::tools::Tool;
use async_trait::async_trait;
use clew_sdk::{ModelCall, Span};
use serde_json::{Value, json};

/// Does work within a span: what it starts is below, how it went is the status, its end is the end.
pub async fn observe<T>(span: &Span, work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    observe_and_tell(span, work, |_| {}).await
}

/// As `observe`; what came of the work is told to the span before it ends.
async fn observe_and_tell<T>(
    span: &Span,
    work: impl Future<Output = Result<T, Failure>>,
    tell: impl FnOnce(&T),
) -> Result<T, Failure> {
    let observed = async {
        let result = work.await;
        match &result {
            Ok(value) => {
                tell(value);
                span.succeed();
            }
            Err(failure) => span.fail(failure.kind(), failure.to_string()),
        }
        result
    };
    span.clone().run(observed).await
}

/// A part that is a span whenever it works.
pub struct Observed<T> {
    part: T,
    names: &'static Names,
}

impl<T> Observed<T> {
    /// Wraps a part; its spans are called by these names.
    pub fn new(part: T, names: &'static Names) -> Self {
        Self { part, names }
    }
}

#[async_trait]
impl<A: Agent> Agent for Observed<A> {
    fn name(&self) -> &str {
        self.part.name()
    }

    async fn invoke(&self, input: &str) -> Result<Reply, Failure> {
        let span = self.names.agent.start(clew_sdk::agent(self.name()));
        let work = self.part.invoke(input);
        observe_and_tell(&span, work, |reply| span.set("agent.tool_calls", reply.tool_calls)).await
    }
}

#[async_trait]
impl<P: Planner> Planner for Observed<P> {
    async fn next(&self, conversation: &[Message]) -> Result<Step, Failure> {
        let span = self.names.plan.start(clew_sdk::plan("beluga"));
        let tell = |step: &Step| match step {
            Step::Act { calls, .. } => {
                span.set("plan.step", "act");
                span.set_list("plan.tools", calls.iter().map(|call| call.function.name.clone()));
            }
            Step::Answer { .. } => span.set("plan.step", "answer"),
        };
        observe_and_tell(&span, self.part.next(conversation), tell).await
    }
}

#[async_trait]
impl<M: Model> Model for Observed<M> {
    fn settings(&self) -> &Settings {
        self.part.settings()
    }

    async fn chat(&self, messages: &[Message], tools: &[ToolDefinition]) -> Result<Answer, Failure> {
        let (settings, called) = (self.settings(), self.names.model);
        let call = clew_sdk::model_call(settings.provider, &settings.model)
            .temperature(settings.temperature)
            .max_tokens(settings.max_tokens)
            .with(|start| start.scope(called.scope()))
            .start();
        called.rename(&call);
        if call.is_recording() {
            call.input(messages.iter().map(said));
        }
        let work = async {
            let result = self.part.chat(messages, tools).await;
            match &result {
                Ok(answer) => tell(&call, answer),
                Err(failure) => call.fail(failure.kind(), failure.to_string()),
            }
            result
        };
        // By way of the call, which measures itself when it ends.
        call.clone().run(work).await
    }
}

fn tell(call: &ModelCall, answer: &Answer) {
    call.usage(answer.usage.prompt_tokens, answer.usage.completion_tokens);
    call.response_model(answer.model.clone());
    call.response_id(answer.id.clone());
    call.finish_reason(answer.finish_reason.clone());
    if call.is_recording() {
        call.output([said(&answer.message).finished(answer.finish_reason.clone())]);
    }
    call.succeed();
}

/// A message as the conventions write it; recorded only where content is.
fn said(message: &Message) -> clew_sdk::Message {
    let text = message.said();
    match (message.role, &message.tool_call_id) {
        (Role::System, _) => clew_sdk::Message::system(text),
        (Role::User, _) => clew_sdk::Message::user(text),
        (Role::Tool, id) => clew_sdk::Message::tool(id.clone().unwrap_or_default(), text),
        (Role::Assistant, _) => {
            message.tool_calls.iter().fold(clew_sdk::Message::assistant(text), |said, call| {
                said.tool_call(call.id.clone(), call.function.name.clone(), arguments(call))
            })
        }
    }
}

fn arguments(call: &ToolCall) -> Value {
    let text = &call.function.arguments;
    serde_json::from_str(text).unwrap_or_else(|_| text.clone().into())
}

#[async_trait]
impl<E: Embedder> Embedder for Observed<E> {
    fn model(&self) -> (&'static str, &str) {
        self.part.model()
    }

    async fn embed(&self, texts: Vec<String>) -> Result<Embedded, Failure> {
        let (provider, model) = self.model();
        let span = self.names.embedding.start(clew_sdk::embedding(provider, model));
        let tell = |embedded: &Embedded| {
            span.set("gen_ai.usage.input_tokens", embedded.tokens);
            span.set("gen_ai.embeddings.dimension.count", dimensions(&embedded.vectors));
        };
        observe_and_tell(&span, self.part.embed(texts), tell).await
    }
}

#[async_trait]
impl<T: Tool> Tool for Observed<T> {
    fn definition(&self) -> ToolDefinition {
        self.part.definition()
    }

    async fn call(&self, call: &ToolCall) -> Result<String, Failure> {
        let function = self.definition().function;
        let start = clew_sdk::tool(&function.name).call_id(call.id.clone()).tool_type("function");
        let start = start.description(function.description).arguments(arguments(call));
        let span = self.names.tool.start(start);
        observe_and_tell(&span, self.part.call(call), |text| span.result(text.clone())).await
    }
}

#[async_trait]
impl<M: Memory> Memory for Observed<M> {
    fn store(&self) -> &str {
        self.part.store()
    }

    async fn recall(&self, about: &str, most: usize) -> Result<Vec<String>, Failure> {
        let span = self.names.memory.start(clew_sdk::memory("search_memory", self.store()));
        let tell = |found: &Vec<String>| {
            span.set("memory.search.result_count", count(found.len()));
            span.set("cache.hit", !found.is_empty());
        };
        observe_and_tell(&span, self.part.recall(about, most), tell).await
    }

    async fn keep(&self, fact: String) -> Result<(), Failure> {
        let span = clew_sdk::memory("create_memory", self.store()).scope(self.names.memory.scope()).start();
        observe(&span, self.part.keep(fact)).await
    }
}

#[async_trait]
impl<R: Retriever> Retriever for Observed<R> {
    fn source(&self) -> &str {
        self.part.source()
    }

    async fn retrieve(&self, query: &str, most: usize) -> Result<Vec<Passage>, Failure> {
        let start = clew_sdk::retrieval(self.source()).set("gen_ai.request.top_k", count(most)).query(query);
        let span = self.names.retrieval.start(start);
        let tell = |passages: &Vec<Passage>| {
            span.set("rag.retriever.result_count", count(passages.len()));
            span.documents(&passages.iter().map(document).collect::<Vec<_>>());
            if let Some(best) = passages.first() {
                span.set("rag.retriever.best_score", f64::from(best.score));
            }
        };
        observe_and_tell(&span, self.part.retrieve(query, most), tell).await
    }
}

fn document(passage: &Passage) -> Value {
    json!({"content": passage.text, "score": passage.score})
}

fn dimensions(vectors: &[Vec<f32>]) -> i64 {
    vectors.first().map_or(0, |vector| count(vector.len()))
}

/// A length as an attribute: those are signed.
pub fn count(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
