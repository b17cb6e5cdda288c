//! Made-up work of agents, like in shape and size to what real ones send: 15 attributes a span, about 900 bytes on
//! the wire. The same seed gives the same spans.

use crate::demo::Random;
use model::span::Status;
use model::value::{Resource, Scope};
use model::{Attribute, Span, SpanId, Timestamp, TraceId, Value};
use std::sync::Arc;

const SERVICES: [&str; 12] = [
    "support-agents",
    "research",
    "planner",
    "gateway",
    "retriever",
    "billing",
    "memory",
    "tools",
    "policy",
    "orders",
    "search",
    "mailer",
];
const MODELS: [&str; 5] = [
    "gpt-4.1-2025-04-14",
    "claude-sonnet-4-5-20250929",
    "gpt-4.1-mini-2025-04-14",
    "o3-2025-04-16",
    "gemini-2.5-pro",
];
const TOOLS: [&str; 8] = [
    "lookup_order",
    "search_documents",
    "send_mail",
    "run_query",
    "fetch_page",
    "book_courier",
    "read_file",
    "calculate",
];
const WORDS: [&str; 32] = [
    "order", "please", "the", "customer", "a", "refund", "of", "agent", "to", "find", "result", "and",
    "policy", "is", "document", "for", "price", "with", "delivery", "on", "question", "answer", "from",
    "tool", "in", "report", "that", "summary", "was", "check", "stock", "this",
];

/// What is sent.
#[derive(Debug, Clone)]
pub struct Workload {
    pub seed: u64,
    /// Which part of the traces records what was said, from 0 to 1.
    pub content: f64,
}

/// A trace in the making.
struct Making {
    random: Random,
    resource: Arc<Resource>,
    scope: Arc<Scope>,
    trace_id: TraceId,
    conversation: String,
    user: String,
    agent: String,
    /// What was said so far, when it is recorded.
    history: Option<Vec<String>>,
    spans: Vec<Span>,
}

impl Workload {
    /// One trace of 8 to 60 spans; its calls begin at `start`.
    pub fn trace(&self, number: u64, start: Timestamp) -> Vec<Span> {
        let mut random = Random::new(self.seed.wrapping_mul(0x0100_0000_01b3) ^ number);
        let content = random.between(0, 1_000_000);
        #[expect(clippy::cast_precision_loss, reason = "a million is exact")]
        let recorded = (content as f64) < self.content * 1e6;
        let size = random.between(8, 61);
        let mut making = Making {
            resource: Arc::new(resource(&mut random)),
            scope: Arc::new(Scope {
                name: "shop.agents".to_owned(),
                version: "0.9.1".to_owned(),
                ..Scope::default()
            }),
            trace_id: TraceId(random.id()),
            conversation: format!("conv_{:016x}", random.next()),
            user: format!("user-{:05}", random.between(0, 20_000)),
            agent: format!("agent-{:02}", random.between(0, 40)),
            history: recorded.then(Vec::new),
            random,
            spans: Vec::new(),
        };
        making.run(start, size);
        making.spans
    }
}

/// A process; some services have more work than others.
fn resource(random: &mut Random) -> Resource {
    let skewed = random.between(0, 12) * random.between(0, 12) / 12;
    let service = usize::try_from(skewed).ok().and_then(|place| SERVICES.get(place)).unwrap_or(&SERVICES[0]);
    Resource {
        attributes: vec![
            text("service.name", *service),
            text("service.version", "1.14.2"),
            text("deployment.environment.name", "production"),
            text("host.name", format!("node-{}", random.between(0, 8))),
        ],
        ..Resource::default()
    }
}

fn text(key: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(key, Value::String(value.into()))
}

fn number(key: &str, value: u64) -> Attribute {
    Attribute::new(key, Value::Int(value.cast_signed()))
}

impl Making {
    fn run(&mut self, start: Timestamp, size: u64) {
        let root = self.begin("invoke_agent", None, 1, start);
        let mut time = start.0 + 1_000_000;
        let mut step = root;
        for place in 1..size {
            time = match place % 6 {
                1 => {
                    let name = format!("step {}", place / 6);
                    step = self.begin(&name, Some(root), 1, Timestamp(time));
                    time + 100_000
                }
                2 | 4 => self.model_call(step, time),
                3 => self.tool_call(step, time),
                5 => self.request(step, time, "GET", 3),
                _ => self.request(step, time, "SELECT", 3),
            };
            self.extend_to(step, time);
        }
        self.extend_to(root, time);
    }

    fn extend_to(&mut self, place: usize, time: u64) {
        if let Some(span) = self.spans.get_mut(place) {
            span.end = Timestamp(time + 50_000);
        }
    }

    /// Adds a span with what all have; answers its place.
    fn begin(&mut self, name: &str, parent: Option<usize>, kind: i32, start: Timestamp) -> usize {
        let parent_span_id = parent.and_then(|place| self.spans.get(place)).map(|span| span.span_id);
        let attributes = vec![
            text("gen_ai.conversation.id", self.conversation.clone()),
            text("gen_ai.agent.name", self.agent.clone()),
            text("user.id", self.user.clone()),
            text("session.id", format!("{:032x}", u128::from_be_bytes(self.trace_id.0).rotate_left(7))),
            text("code.function.name", format!("shop::agents::{}::run", self.agent)),
            text("thread.name", format!("tokio-runtime-worker-{}", self.random.between(0, 16))),
            number("thread.id", self.random.between(1, 64)),
            text(
                "request.id",
                format!("{:032x}", u128::from(self.random.next()) << 64 | u128::from(self.random.next())),
            ),
            text("feature.flags", "new-planner,cached-retrieval,strict-policies,long-context"),
        ];
        let failed = self.random.between(0, 50) == 0;
        self.spans.push(Span {
            resource: Arc::clone(&self.resource),
            scope: Arc::clone(&self.scope),
            trace_id: self.trace_id,
            span_id: SpanId(self.random.id()),
            parent_span_id,
            name: name.to_owned(),
            kind,
            start,
            end: start,
            status: if failed {
                Status { code: 2, message: "upstream answered 503".to_owned() }
            } else {
                Status::default()
            },
            attributes,
            ..Span::default()
        });
        self.spans.len() - 1
    }

    fn add(&mut self, place: usize, attributes: Vec<Attribute>, end: u64) -> u64 {
        if let Some(span) = self.spans.get_mut(place) {
            span.attributes.extend(attributes);
            span.end = Timestamp(end);
        }
        end
    }

    fn model_call(&mut self, parent: usize, time: u64) -> u64 {
        let model = self.random.pick(&MODELS);
        let place = self.begin(&format!("chat {model}"), Some(parent), 3, Timestamp(time));
        let mut attributes = vec![
            text("gen_ai.operation.name", "chat"),
            text("gen_ai.request.model", model),
            text("gen_ai.response.id", format!("chatcmpl-{:016x}", self.random.next())),
            number("gen_ai.usage.input_tokens", self.random.between(200, 9_000)),
            number("gen_ai.usage.output_tokens", self.random.between(10, 900)),
            Attribute::new("gen_ai.request.temperature", Value::Double(0.2)),
        ];
        attributes.extend(self.messages());
        let latency = self.random.between(200_000_000, 4_000_000_000);
        self.add(place, attributes, time + latency)
    }

    /// The history is sent again with every call, as agents do.
    fn messages(&mut self) -> Vec<Attribute> {
        let Some(mut history) = self.history.take() else { return Vec::new() };
        let asked = message("user", &sentence(&mut self.random, 90));
        history.push(asked);
        let input = text("gen_ai.input.messages", format!("[{}]", history.join(",")));
        let answered = message("assistant", &sentence(&mut self.random, 160));
        let output = text("gen_ai.output.messages", format!("[{answered}]"));
        history.push(answered);
        self.history = Some(history);
        vec![input, output]
    }

    fn tool_call(&mut self, parent: usize, time: u64) -> u64 {
        let tool = self.random.pick(&TOOLS);
        let place = self.begin(&format!("execute_tool {tool}"), Some(parent), 1, Timestamp(time));
        let mut attributes = vec![
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", tool),
            text("gen_ai.tool.call.id", format!("call_{:016x}", self.random.next())),
            text("gen_ai.tool.type", "function"),
            number("tool.attempt", self.random.between(1, 3)),
            number("tool.result.bytes", self.random.between(20, 20_000)),
        ];
        if self.history.is_some() {
            let result = sentence(&mut self.random, 40);
            attributes.push(text("gen_ai.tool.call.result", format!("{{\"result\":\"{result}\"}}")));
        }
        let latency = self.random.between(2_000_000, 400_000_000);
        self.add(place, attributes, time + latency)
    }

    fn request(&mut self, parent: usize, time: u64, method: &str, kind: i32) -> u64 {
        let place = self.begin(method, Some(parent), kind, Timestamp(time));
        let attributes = vec![
            text("http.request.method", method),
            text(
                "url.full",
                format!("http://orders.internal:8081/orders/{}", self.random.between(0, 100_000)),
            ),
            text("server.address", "orders.internal"),
            number("server.port", 8081),
            number("http.response.status_code", 200),
            text("network.protocol.version", "1.1"),
        ];
        let latency = self.random.between(500_000, 60_000_000);
        self.add(place, attributes, time + latency)
    }
}

fn message(role: &str, content: &str) -> String {
    format!("{{\"role\":\"{role}\",\"parts\":[{{\"type\":\"text\",\"content\":\"{content}\"}}]}}")
}

fn sentence(random: &mut Random, words: u64) -> String {
    let words: Vec<&str> = (0..words).map(|_| random.pick(&WORDS)).collect();
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::Workload;
    use model::{Timestamp, otlp};

    #[test]
    fn a_seed_gives_the_same_spans_and_another_seed_others() {
        let trace = |seed| Workload { seed, content: 0.5 }.trace(3, Timestamp(1_000));
        assert_eq!(trace(1), trace(1));
        assert_ne!(trace(1), trace(2));
    }

    #[test]
    fn spans_have_the_shape_that_figures_are_quoted_for() {
        let workload = Workload { seed: 1, content: 0.1 };
        let spans: Vec<_> =
            (0..200).flat_map(|number| workload.trace(number, Timestamp(1_000_000))).collect();
        let attributes = spans.iter().map(|span| span.attributes.len()).sum::<usize>() / spans.len();
        assert!((13..=15).contains(&attributes), "{attributes} attributes a span");
        let bytes = otlp::encode_spans(&spans).len() / spans.len();
        assert!((850..1_050).contains(&bytes), "{bytes} bytes a span");
        let without = Workload { content: 0.0, ..workload }.trace(3, Timestamp(1));
        assert!(without.iter().flat_map(|span| &span.attributes).all(|it| it.key != "gen_ai.input.messages"));
    }
}
