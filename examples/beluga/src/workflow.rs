//! One question from start to end: the agent works on it, what came of it is remembered and counted.

use crate::agent::{Agent, Reply};
use crate::failure::Failure;
use crate::names::CONVENTIONS;
use crate::observed::observe;
use crate::openai::Message;
use crate::world::{World, memory};
use std::time::Duration;

/// How long the calculation pretends to take.
const WORK: Duration = Duration::from_millis(100);

/// Runs the agent below a root of this name.
pub async fn run(world: &World, root: String, question: &str) -> Result<String, Failure> {
    let span = clew_sdk::span(root).scope("main").start();
    let work = async {
        let said = answer(world, question).await;
        said.inspect_err(|failure| tracing::error!(error = %failure, "pipeline error"))
    };
    observe(&span, work).await
}

async fn answer(world: &World, question: &str) -> Result<String, Failure> {
    let remembered = memory(&CONVENTIONS);
    let agent = world.agent(&CONVENTIONS, remembered.clone());
    let reply = agent.invoke(question).await;
    calculate_metrics(reply.as_ref().ok()).await;
    let reply = reply?;
    remembered.keep(format!("Asked {question:?}, said {:?}", reply.text)).await?;
    Ok(reply.text)
}

async fn calculate_metrics(reply: Option<&Reply>) {
    let span = clew_sdk::span("calculate-metrics").scope("custom-logic").set("user.id", "123").start();
    let work = async {
        tokio::time::sleep(WORK).await;
        if let Some(reply) = reply {
            span.set("reply.tokens", reply.tokens);
            span.set("reply.tool_calls", reply.tool_calls);
        }
        span.event("calculation-complete", Vec::new());
    };
    span.clone().run(work).await;
}

/// Asks the model once.
pub async fn ask(world: &World, question: &str) -> Result<String, Failure> {
    let messages = [Message::system("You are a helpful assistant."), Message::user(question)];
    let answer = world.model(&CONVENTIONS).chat(&messages, &[]).await?;
    Ok(answer.message.said().to_owned())
}
