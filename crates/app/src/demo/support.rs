//! The support agent: reads the order, looks up what the shop promises, hands over to logistics, answers.

use super::conversation::{Conversation, ToolCall, calls, says, tool};
use super::logistics::Logistics;
use super::model_call::{Caller, GPT, tokens};
use super::recorder::{INFO, Kind, Open, Recorder, WARN, double, int, text};
use super::story::{Case, Cast, http_client, http_server, status};
use model::value::{Attribute, Value as AttributeValue};
use serde_json::{Value, json};

const AGENT: &str = "support";
const INSTRUCTIONS: &str = "You are the support agent of an online shop. Look facts up before you promise anything. \
    Replacements are arranged by the logistics agent: hand over to it with what it needs to know. Be brief and kind.";

pub struct Support<'a> {
    pub cast: &'a Cast,
    pub case: &'a Case,
}

impl Support<'_> {
    pub fn run(&self, recorder: &mut Recorder, parent: Open) {
        let cast = self.cast;
        let served = recorder.open(Some(parent), &cast.agents, "POST /runs", Kind::Server);
        recorder.set(served, http_server("POST", "/runs", "support-agents"));
        recorder.wait(1);
        let agent = open_agent(recorder, served, self, AGENT, "Answers customers of the shop");
        recorder.wait(2);
        check_policy(recorder, agent, self, "pii-guard", "allow", "no card number, no password");
        self.recall(recorder, agent);
        let mut conversation = Conversation::user(&self.case.question());
        let mut caller = Caller::new(&cast.agents, AGENT, &self.case.conversation_id, GPT);
        caller.instructions = INSTRUCTIONS;
        caller.tools = tools();
        let answer = self.converse(recorder, agent, &mut caller, &mut conversation);
        self.evaluate(recorder, agent, &answer);
        recorder.set(agent, [text("gen_ai.output.messages", &json!([says(&answer)]).to_string())]);
        recorder.succeed(agent);
        status(recorder, served, 200);
        recorder.close(served);
    }

    fn converse(
        &self,
        recorder: &mut Recorder,
        agent: Open,
        caller: &mut Caller<'_>,
        conversation: &mut Conversation,
    ) -> String {
        let case = self.case;
        let order = call(recorder, "lookup_order", json!({"order_id": case.order}));
        let promise = call(
            recorder,
            "search_policies",
            json!({"query": format!("replacement of a {} that {}", case.item, case.fault)}),
        );
        caller.chat(
            recorder,
            agent,
            conversation,
            calls("I'll look at the order and at what we promise.", &[&order, &promise]),
        );
        recorder.wait(2);
        let (found, promises) = recorder.both(
            |recorder| self.lookup_order(recorder, agent, &order),
            |recorder| self.search_policies(recorder, agent, &promise),
        );
        conversation.tool_result(&order, &found);
        conversation.tool_result(&promise, &promises);
        let reason = format!("{} {}", case.item, case.fault);
        let transfer = call(
            recorder,
            "transfer_to_logistics",
            json!({"order_id": case.order, "reason": reason, "deliver_before": case.day, "city": case.city}),
        );
        caller.chat(
            recorder,
            agent,
            conversation,
            calls("The order is in warranty. Logistics can arrange the replacement.", &[&transfer]),
        );
        let arranged = tool_span(recorder, agent, self, &transfer, |recorder, span| {
            Logistics { support: self }.run(recorder, span)
        });
        conversation.tool_result(&transfer, &arranged);
        let answer = format!(
            "I'm sorry about that, {}! A new {} leaves our warehouse today and reaches you in {} before {}. \
             Tracking number: {}. There is no charge, and no need to send the old one back.",
            case.customer,
            case.item,
            case.city,
            case.day,
            arranged["tracking"].as_str().unwrap_or_default()
        );
        caller.chat(recorder, agent, conversation, says(&answer));
        answer
    }

    fn recall(&self, recorder: &mut Recorder, agent: Open) {
        let span = recorder.open(Some(agent), &self.cast.agents, "search_memory customers", Kind::Client);
        recorder.set(
            span,
            [
                text("gen_ai.operation.name", "search_memory"),
                text("gen_ai.memory.store.name", "customers"),
                text("gen_ai.memory.query.text", &format!("what do we know of {}", self.case.user_id)),
                text("gen_ai.agent.name", AGENT),
                int("gen_ai.memory.search.result.count", 2),
            ],
        );
        let get = recorder.open(Some(span), &self.cast.agents, "HGETALL", Kind::Client);
        recorder.set(
            get,
            [
                text("db.system.name", "redis"),
                text("db.operation.name", "HGETALL"),
                text("db.namespace", "memory"),
                text("server.address", "redis"),
            ],
        );
        recorder.wait(2);
        recorder.close(get);
        recorder.close(span);
    }

    /// The first try finds the order service overloaded; the second one works.
    fn lookup_order(&self, recorder: &mut Recorder, agent: Open, asked: &ToolCall) -> Value {
        let order = &self.case.order;
        let found = json!({"order_id": order, "item": self.case.item, "bought": "41 days ago", "price": "189.00 EUR", "warranty": "in force"});
        tool_span(recorder, agent, self, asked, |recorder, span| {
            let url = format!("http://order-service:8081/orders/{order}");
            let first = recorder.open(Some(span), &self.cast.agents, "GET", Kind::Client);
            recorder.set(first, http_client("GET", &url));
            let served = recorder.open(Some(first), &self.cast.orders, "GET /orders/{id}", Kind::Server);
            recorder.set(served, http_server("GET", "/orders/{id}", "order-service"));
            recorder.wait(180);
            recorder.log(
                served,
                (17, "ERROR"),
                "no database connection within 150 ms",
                vec![int("pool.size", 8), int("pool.waiting", 23)],
            );
            status(recorder, served, 503);
            recorder.fail(served, "PoolTimeout", "no database connection within 150 ms");
            recorder.wait(1);
            status(recorder, first, 503);
            recorder.fail(first, "503", "order-service answered 503 Service Unavailable");
            recorder.log(
                span,
                WARN,
                "order-service answered 503, trying again in 200 ms",
                vec![int("attempt", 1)],
            );
            recorder.wait(200);
            let second = recorder.open(Some(span), &self.cast.agents, "GET", Kind::Client);
            recorder.set(second, http_client("GET", &url));
            recorder.set(second, [int("http.request.resend_count", 1)]);
            let served = recorder.open(Some(second), &self.cast.orders, "GET /orders/{id}", Kind::Server);
            recorder.set(served, http_server("GET", "/orders/{id}", "order-service"));
            recorder.wait(2);
            select_order(recorder, served, self);
            status(recorder, served, 200);
            recorder.close(served);
            status(recorder, second, 200);
            recorder.close(second);
            found
        })
    }

    fn search_policies(&self, recorder: &mut Recorder, agent: Open, asked: &ToolCall) -> Value {
        let query = asked.arguments["query"].as_str().unwrap_or_default().to_owned();
        let documents = json!([
            {"id": "returns-4", "score": 0.91, "text": "An article that breaks within 60 days is replaced at no charge."},
            {"id": "returns-7", "score": 0.83, "text": "Articles under 250 EUR need not be sent back."},
            {"id": "shipping-2", "score": 0.71, "text": "Replacements are shipped by express if the customer names a day."}
        ]);
        tool_span(recorder, agent, self, asked, |recorder, span| {
            let retrieval =
                recorder.open(Some(span), &self.cast.agents, "retrieval shop-policies", Kind::Client);
            recorder.set(
                retrieval,
                [
                    text("gen_ai.operation.name", "retrieval"),
                    text("gen_ai.data_source.id", "shop-policies"),
                    text("gen_ai.retrieval.query.text", &query),
                    int("gen_ai.request.top_k", 3),
                    text("gen_ai.retrieval.documents", &documents.to_string()),
                ],
            );
            self.embed(recorder, retrieval, &query);
            let search =
                recorder.open(Some(retrieval), &self.cast.agents, "query shop-policies", Kind::Client);
            recorder.set(
                search,
                [
                    text("db.system.name", "qdrant"),
                    text("db.operation.name", "query"),
                    text("db.collection.name", "shop-policies"),
                    text("server.address", "qdrant"),
                    int("db.response.returned_rows", 3),
                ],
            );
            recorder.wait(14);
            recorder.close(search);
            recorder.close(retrieval);
            documents
        })
    }

    fn embed(&self, recorder: &mut Recorder, parent: Open, input: &str) {
        let span =
            recorder.open(Some(parent), &self.cast.agents, "embeddings text-embedding-3-small", Kind::Client);
        recorder.set(
            span,
            [
                text("gen_ai.operation.name", "embeddings"),
                text("gen_ai.provider.name", "openai"),
                text("gen_ai.request.model", "text-embedding-3-small"),
                int("gen_ai.embeddings.dimension.count", 1536),
                int("gen_ai.usage.input_tokens", tokens(input)),
                double("gen_ai.usage.cost", 4e-7),
                text("server.address", "api.openai.com"),
            ],
        );
        recorder.wait(62);
        recorder.close(span);
    }

    fn evaluate(&self, recorder: &mut Recorder, agent: Open, answer: &str) {
        let span = recorder.open(Some(agent), &self.cast.agents, "evaluate groundedness", Kind::Internal);
        recorder.wait(48);
        let result = [
            text("gen_ai.evaluation.name", "groundedness"),
            double("gen_ai.evaluation.score.value", 0.94),
            text("gen_ai.evaluation.score.label", "pass"),
        ];
        recorder.event(span, "gen_ai.evaluation.result", result.to_vec());
        recorder.set(
            span,
            [
                text("gen_ai.operation.name", "evaluate"),
                int("gen_ai.evaluation.input.characters", answer.len() as u64),
            ],
        );
        recorder.set(span, result);
        recorder.close(span);
        recorder.log(
            agent,
            INFO,
            "run finished",
            vec![text("gen_ai.agent.name", AGENT), text("outcome", "replaced")],
        );
    }
}

pub fn open_agent(
    recorder: &mut Recorder,
    parent: Open,
    support: &Support<'_>,
    name: &str,
    description: &str,
) -> Open {
    let span =
        recorder.open(Some(parent), &support.cast.agents, format!("invoke_agent {name}"), Kind::Internal);
    recorder.set(
        span,
        [
            text("gen_ai.operation.name", "invoke_agent"),
            text("gen_ai.agent.name", name),
            text("gen_ai.agent.id", &format!("agent-{name}")),
            text("gen_ai.agent.description", description),
            text("gen_ai.conversation.id", &support.case.conversation_id),
            text("user.id", &support.case.user_id),
        ],
    );
    recorder.log(span, INFO, format!("agent {name} starts"), vec![text("gen_ai.agent.name", name)]);
    span
}

pub fn check_policy(
    recorder: &mut Recorder,
    parent: Open,
    support: &Support<'_>,
    policy: &str,
    decision: &str,
    reason: &str,
) {
    let span =
        recorder.open(Some(parent), &support.cast.agents, format!("check_policy {policy}"), Kind::Internal);
    recorder.wait(4);
    recorder.set(
        span,
        [
            text("policy.id", policy),
            text("policy.name", policy),
            text("policy.version", "12"),
            text("policy.decision", decision),
            text("policy.reason", reason),
        ],
    );
    recorder.close(span);
    recorder.log(
        parent,
        INFO,
        format!("policy {policy}: {decision}"),
        vec![text("policy.id", policy), text("policy.decision", decision)],
    );
}

/// A tool call: its span, with arguments and result, around what `work` does.
pub fn tool_span(
    recorder: &mut Recorder,
    parent: Open,
    support: &Support<'_>,
    asked: &ToolCall,
    work: impl FnOnce(&mut Recorder, Open) -> Value,
) -> Value {
    let span = recorder.open(
        Some(parent),
        &support.cast.agents,
        format!("execute_tool {}", asked.name),
        Kind::Internal,
    );
    recorder.set(
        span,
        [
            text("gen_ai.operation.name", "execute_tool"),
            text("gen_ai.tool.name", asked.name),
            text("gen_ai.tool.type", "function"),
            text("gen_ai.tool.call.id", &asked.id),
            text("gen_ai.tool.call.arguments", &asked.arguments.to_string()),
        ],
    );
    recorder.wait(1);
    let result = work(recorder, span);
    recorder.wait(1);
    recorder.set(span, [text("gen_ai.tool.call.result", &result.to_string())]);
    recorder.close(span);
    result
}

pub fn call(recorder: &mut Recorder, name: &'static str, arguments: Value) -> ToolCall {
    ToolCall { id: format!("call_{:016x}", recorder.random.next()), name, arguments }
}

fn select_order(recorder: &mut Recorder, parent: Open, support: &Support<'_>) {
    let span = recorder.open(Some(parent), &support.cast.orders, "SELECT orders", Kind::Client);
    recorder.set(
        span,
        [
            text("db.system.name", "postgresql"),
            text("db.namespace", "shop"),
            text("db.collection.name", "orders"),
            text("db.operation.name", "SELECT"),
            text("db.query.text", "SELECT item, bought_at, price FROM orders WHERE id = $1"),
            text("server.address", "postgres"),
            int("server.port", 5432),
            Attribute::new("db.query.parameter.1", AttributeValue::String(support.case.order.clone())),
        ],
    );
    recorder.wait(9);
    recorder.close(span);
}

fn tools() -> Value {
    json!([
        tool("lookup_order", "Finds an order by its number", &["order_id"]),
        tool("search_policies", "Searches what the shop promises to its customers", &["query"]),
        tool(
            "transfer_to_logistics",
            "Hands over to the logistics agent",
            &["order_id", "reason", "deliver_before", "city"]
        ),
    ])
}
