//! What the spans of each kind say, in the words of OpenTelemetry's conventions.

use super::cast::{COLLECTIONS, MODELS, Model, ROLES, int, pick, skewed, text};
use super::conversation::{Conversation, Said};
use crate::demo::Random;
use model::{Attribute, Value};

/// Random numbers for what is drawn, and for ids.
type Randoms<'a> = (&'a mut Random, &'a mut Random);

fn double(key: &str, value: f64) -> Attribute {
    Attribute::new(key, Value::Double(value))
}

fn yes(key: &str, value: bool) -> Attribute {
    Attribute::new(key, Value::Bool(value))
}

/// What all spans of an agent's process have.
fn of_agent(conversation: &Conversation, random: &mut Random) -> Vec<Attribute> {
    vec![
        text("gen_ai.conversation.id", conversation.id.as_str()),
        text("gen_ai.agent.name", conversation.agent.as_str()),
        text("user.id", conversation.user.as_str()),
        text("session.id", conversation.session.as_str()),
        int("thread.id", 140_000 + random.between(0, 16)),
        text("thread.name", format!("asyncio_{}", random.between(0, 16))),
    ]
}

fn with(mut attributes: Vec<Attribute>, more: impl IntoIterator<Item = Attribute>) -> Vec<Attribute> {
    attributes.extend(more);
    attributes
}

pub fn agent(conversation: &Conversation, random: &mut Random) -> Vec<Attribute> {
    let model = pick(random, &MODELS);
    let own = [
        text("gen_ai.operation.name", "invoke_agent"),
        text("gen_ai.agent.id", format!("asst_{}", conversation.agent)),
        text("gen_ai.agent.version", "2025-11-03"),
        text("gen_ai.provider.name", model.provider),
        text("gen_ai.request.model", model.name),
        text("gen_ai.output.type", "text"),
        int("gen_ai.usage.input_tokens", random.between(800, 40_000)),
        int("gen_ai.usage.output_tokens", random.between(60, 5_000)),
        text("code.function.name", format!("agents.{}.run", conversation.agent)),
    ];
    with(of_agent(conversation, random), own)
}

pub fn step(conversation: &Conversation, number: usize, random: &mut Random) -> Vec<Attribute> {
    let own = [
        text("workflow.id", format!("{}-loop", conversation.agent)),
        text("workflow.name", "reason and act"),
        int("workflow.step", number as u64),
        text("workflow.version", "2025-11-03"),
        text("workflow.checkpoint", format!("ckpt-{:016x}", random.next())),
        int("workflow.state.bytes", random.between(400, 90_000)),
        yes("workflow.resumed", random.between(0, 40) == 0),
        text("feature.flags", "planner-v2,cached-retrieval,strict-policies"),
        text("code.function.name", "agents.loop.Loop.step"),
    ];
    with(of_agent(conversation, random), own)
}

pub fn model_call(
    model: &Model,
    conversation: &Conversation,
    (random, ids): Randoms<'_>,
    said: Option<Said>,
) -> Vec<Attribute> {
    let input = random.between(300, 12_000);
    let output = random.between(20, 1_200);
    #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
    let cost = (input * 3 + output * 12) as f64 / 1e6;
    #[expect(clippy::cast_precision_loss, reason = "milliseconds")]
    let first = random.between(180, 900) as f64 / 1e3;
    let finish = if random.between(0, 3) == 0 { "stop" } else { "tool_calls" };
    let own = [
        text("gen_ai.operation.name", "chat"),
        text("gen_ai.provider.name", model.provider),
        text("gen_ai.request.model", model.name),
        text("gen_ai.response.model", model.answers_as),
        text("gen_ai.response.id", format!("chatcmpl-{:016x}{:08x}", ids.next(), ids.next() >> 32)),
        Attribute::new(
            "gen_ai.response.finish_reasons",
            Value::Array(vec![Value::String(finish.to_owned())]),
        ),
        double("gen_ai.request.temperature", 0.2),
        int("gen_ai.request.max_tokens", 4_096),
        int("gen_ai.usage.input_tokens", input),
        int("gen_ai.usage.output_tokens", output),
        int("gen_ai.usage.cache_read.input_tokens", input / 64 * 32),
        double("gen_ai.usage.cost", cost),
        double("gen_ai.response.time_to_first_chunk", first),
        text("server.address", model.host),
        int("server.port", 443),
    ];
    let said = said.into_iter().flat_map(|said| {
        [
            text("gen_ai.system_instructions", said.instructions),
            text("gen_ai.tool.definitions", said.tools),
            text("gen_ai.input.messages", said.input),
            text("gen_ai.output.messages", said.output),
        ]
    });
    with(with(of_agent(conversation, random), own), said)
}

pub fn tool(name: &str, conversation: &Conversation, (random, ids): Randoms<'_>) -> Vec<Attribute> {
    let mut own = vec![
        text("gen_ai.operation.name", "execute_tool"),
        text("gen_ai.tool.name", name),
        text("gen_ai.tool.type", "function"),
        text("gen_ai.tool.call.id", format!("call_{:016x}{:08x}", ids.next(), ids.next() >> 32)),
        int("tool.attempt", 1 + skewed(random, 4) as u64),
        int("tool.result.bytes", random.between(20, 30_000)),
        yes("tool.cache.hit", random.between(0, 4) == 0),
        text("code.function.name", format!("tools.{name}.call")),
        text("code.file.path", format!("/srv/app/tools/{name}.py")),
    ];
    if conversation.is_recorded() {
        let arguments = format!("{{\"number\":{},\"limit\":20}}", random.between(1, 100_000));
        own.push(text("gen_ai.tool.call.arguments", arguments));
        let words = random.between(15, 60);
        let result = super::conversation::sentences(random, words);
        own.push(text("gen_ai.tool.call.result", format!("{{\"result\":\"{result}\"}}")));
    }
    with(of_agent(conversation, random), own)
}

pub fn embedding(conversation: &Conversation, random: &mut Random) -> Vec<Attribute> {
    let own = [
        text("gen_ai.operation.name", "embeddings"),
        text("gen_ai.provider.name", "openai"),
        text("gen_ai.request.model", "text-embedding-3-small"),
        text("gen_ai.response.model", "text-embedding-3-small"),
        int("gen_ai.embeddings.dimension.count", 1_536),
        int("gen_ai.usage.input_tokens", random.between(5, 400)),
        text("server.address", "api.openai.com"),
        int("server.port", 443),
    ];
    with(of_agent(conversation, random), own)
}

pub fn retrieval(conversation: &Conversation, (random, ids): Randoms<'_>) -> Vec<Attribute> {
    let own = [
        text("gen_ai.operation.name", "retrieval"),
        text("gen_ai.data_source.id", pick(random, &COLLECTIONS)),
        text("db.system.name", "qdrant"),
        text("db.operation.name", "search"),
        text("retrieval.query.id", format!("{:016x}{:016x}", ids.next(), ids.next())),
        int("retrieval.top_k", 8),
        int("retrieval.documents.count", random.between(0, 9)),
        double("retrieval.score.threshold", 0.72),
        text("server.address", "vectors.internal"),
        int("server.port", 6_334),
    ];
    with(of_agent(conversation, random), own)
}

pub fn request(method: &str, host: &str, path: &str, random: &mut Random) -> Vec<Attribute> {
    let target =
        format!("https://{host}{path}?trace={:08x}&page={}", random.next() >> 32, skewed(random, 20));
    vec![
        text("http.request.method", method),
        text("url.full", target),
        text("url.scheme", "https"),
        text("server.address", host),
        int("server.port", 443),
        int("http.response.status_code", status(random)),
        int("http.request.body.size", random.between(0, 60_000)),
        int("http.response.body.size", random.between(40, 90_000)),
        text("network.protocol.name", "http"),
        text("network.protocol.version", "1.1"),
        text("network.peer.address", format!("10.4.{}.{}", random.between(0, 8), random.between(1, 255))),
        int("network.peer.port", 443),
        text("user_agent.original", "python-httpx/0.28.1"),
        int("http.request.resend_count", 0),
        text("code.function.name", "httpx.AsyncClient.send"),
    ]
}

pub fn served(conversation: &Conversation, random: &mut Random) -> Vec<Attribute> {
    vec![
        text("http.request.method", "POST"),
        text("http.route", format!("/v1/{}/runs", pick(random, &ROLES))),
        text("url.path", format!("/v1/runs/{:08x}", random.next() >> 32)),
        text("url.scheme", "https"),
        text("server.address", "agents.example.com"),
        int("server.port", 8_443),
        text("client.address", format!("10.9.{}.{}", random.between(0, 200), random.between(1, 255))),
        int("http.response.status_code", status(random)),
        int("http.request.body.size", random.between(80, 9_000)),
        int("http.response.body.size", random.between(80, 20_000)),
        text("network.protocol.version", "1.1"),
        text(
            "user_agent.original",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36",
        ),
        text("user.id", conversation.user.as_str()),
        text("session.id", conversation.session.as_str()),
        text("gen_ai.conversation.id", conversation.id.as_str()),
    ]
}

pub fn database(table: &str, random: &mut Random) -> Vec<Attribute> {
    let limit = 10 * (1 + skewed(random, 10));
    vec![
        text("db.system.name", "postgresql"),
        text("db.namespace", "agents"),
        text("db.collection.name", table),
        text("db.operation.name", "SELECT"),
        text(
            "db.query.text",
            format!(
                "SELECT id, state, owner, updated_at FROM {table} WHERE owner = $1 AND state = $2 LIMIT {limit}"
            ),
        ),
        text("db.query.summary", format!("SELECT {table}")),
        int("db.response.returned_rows", skewed(random, limit) as u64),
        text("server.address", "postgres.internal"),
        int("server.port", 5_432),
        text("network.peer.address", format!("10.4.9.{}", random.between(1, 5))),
        text("db.client.connection.pool.name", "agents-primary"),
        int("db.client.connection.count", random.between(1, 40)),
        text("user.id", format!("user-{:05}", skewed(random, 50_000))),
        int("thread.id", random.between(1, 200)),
        text("code.function.name", "store.Query.fetch"),
    ]
}

pub fn exception(kind: &str, message: &str, random: &mut Random) -> Vec<Attribute> {
    let frames: Vec<String> = (0..random.between(6, 14))
        .map(|_| {
            let (module, line) = (pick(random, &ROLES), random.between(10, 900));
            format!("  File \"/srv/app/agents/{module}.py\", line {line}, in run_{module}")
        })
        .collect();
    let stack = format!("Traceback (most recent call last):\n{}\n{kind}: {message}", frames.join("\n"));
    vec![
        text("exception.type", kind),
        text("exception.message", message),
        text("exception.stacktrace", stack),
    ]
}

/// Nearly always 200.
fn status(random: &mut Random) -> u64 {
    match random.between(0, 200) {
        0 => 429,
        1 => 503,
        2..6 => 404,
        _ => 200,
    }
}
