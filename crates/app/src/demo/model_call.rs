//! A call of a language model: its span, with messages, tokens, cost and time to the first token.

use super::conversation::Conversation;
use super::recorder::{Kind, Open, Recorder, Service, double, int, text, texts};
use model::value::{Attribute, Value as AttributeValue};
use serde_json::{Value, json};

/// A model, with its price in US dollars per million tokens.
#[derive(Debug, Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    pub answers_as: &'static str,
    pub provider: &'static str,
    pub host: &'static str,
    input_price: f64,
    cached_price: f64,
    output_price: f64,
}

pub const GPT: Model = Model {
    name: "gpt-4.1",
    answers_as: "gpt-4.1-2025-04-14",
    provider: "openai",
    host: "api.openai.com",
    input_price: 2.0,
    cached_price: 0.5,
    output_price: 8.0,
};

pub const CLAUDE: Model = Model {
    name: "claude-sonnet-4-5",
    answers_as: "claude-sonnet-4-5-20250929",
    provider: "anthropic",
    host: "api.anthropic.com",
    input_price: 3.0,
    cached_price: 0.3,
    output_price: 15.0,
};

/// Who calls which model, told what and offered which tools.
pub struct Caller<'a> {
    pub service: &'a Service,
    pub agent: &'static str,
    pub conversation_id: &'a str,
    pub model: Model,
    pub instructions: &'static str,
    pub tools: Value,
    /// Tokens the provider has seen in the previous call, and so has in its cache.
    seen_tokens: u64,
}

impl<'a> Caller<'a> {
    pub const fn new(
        service: &'a Service,
        agent: &'static str,
        conversation_id: &'a str,
        model: Model,
    ) -> Self {
        Self { service, agent, conversation_id, model, instructions: "", tools: Value::Null, seen_tokens: 0 }
    }

    /// Sends the conversation; `answer` comes back, and is added to it.
    pub fn chat(
        &mut self,
        recorder: &mut Recorder,
        parent: Open,
        conversation: &mut Conversation,
        answer: Value,
    ) {
        let span =
            recorder.open(Some(parent), self.service, format!("chat {}", self.model.name), Kind::Client);
        let input = conversation.to_json();
        let output = json!([answer]).to_string();
        let input_tokens = tokens(&input) + tokens(self.instructions) + tokens(&self.tools.to_string());
        let output_tokens = tokens(&output);
        let first = recorder.random.between(240, 720);
        recorder.wait(first);
        recorder.event(span, "gen_ai.first_token", Vec::new());
        recorder.wait(output_tokens * 9);
        let finish = answer["finish_reason"].as_str().unwrap_or("stop");
        recorder.set(span, self.request(first));
        recorder.set(span, self.usage(input_tokens, output_tokens));
        recorder.set(
            span,
            [
                text("gen_ai.response.id", &format!("resp_{}", recorder.id_of(span))),
                text("gen_ai.response.model", self.model.answers_as),
                texts("gen_ai.response.finish_reasons", &[finish]),
                text(
                    "gen_ai.system_instructions",
                    &json!([{"type": "text", "content": self.instructions}]).to_string(),
                ),
                text("gen_ai.tool.definitions", &self.tools.to_string()),
                text("gen_ai.input.messages", &input),
                text("gen_ai.output.messages", &output),
            ],
        );
        recorder.close(span);
        self.seen_tokens = input_tokens;
        conversation.add(answer);
    }

    #[expect(clippy::cast_precision_loss, reason = "milliseconds below a second")]
    fn request(&self, first_token_ms: u64) -> Vec<Attribute> {
        vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.provider.name", self.model.provider),
            text("gen_ai.request.model", self.model.name),
            text("gen_ai.agent.name", self.agent),
            text("gen_ai.conversation.id", self.conversation_id),
            double("gen_ai.request.temperature", 0.2),
            int("gen_ai.request.max_tokens", 1024),
            Attribute::new("gen_ai.request.stream", AttributeValue::Bool(true)),
            text("gen_ai.output.type", "text"),
            text("server.address", self.model.host),
            int("server.port", 443),
            double("gen_ai.response.time_to_first_chunk", first_token_ms as f64 / 1e3),
        ]
    }

    #[expect(clippy::cast_precision_loss, reason = "a few thousand tokens")]
    fn usage(&self, input: u64, output: u64) -> Vec<Attribute> {
        // Providers cache whole pieces of the part that did not change.
        let cached = self.seen_tokens / 64 * 64;
        let price = (input - cached) as f64 * self.model.input_price
            + cached as f64 * self.model.cached_price
            + output as f64 * self.model.output_price;
        vec![
            int("gen_ai.usage.input_tokens", input),
            int("gen_ai.usage.output_tokens", output),
            int("gen_ai.usage.cache_read.input_tokens", cached),
            double("gen_ai.usage.cost", (price / 1e6 * 1e8).round() / 1e8),
        ]
    }
}

/// Four characters a token: near enough for made-up text.
pub const fn tokens(text: &str) -> u64 {
    text.len() as u64 / 4 + 1
}
