//! The logistics agent, to which support hands over: finds stock, books a courier, and tells the warehouse.

use super::conversation::{Conversation, ToolCall, calls, says, tool};
use super::model_call::{CLAUDE, Caller};
use super::recorder::{INFO, Kind, Open, Recorder, WARN, int, text};
use super::support::{Support, call, check_policy, open_agent, tool_span};
use serde_json::{Value, json};

const AGENT: &str = "logistics";
const INSTRUCTIONS: &str = "You arrange replacements. Find a warehouse with stock near the customer, book the cheapest \
    courier that arrives in time, and report the tracking number.";
const TOPIC: &str = "replacements";

pub struct Logistics<'a> {
    pub support: &'a Support<'a>,
}

impl Logistics<'_> {
    /// Does what the hand-over asks for; returns what the support agent is told.
    pub fn run(&self, recorder: &mut Recorder, parent: Open) -> Value {
        let (cast, case) = (self.support.cast, self.support.case);
        let agent = open_agent(recorder, parent, self.support, AGENT, "Arranges replacements");
        let task = format!(
            "Replace the {} of order {} ({}). It must reach {} before {}.",
            case.item, case.order, case.fault, case.city, case.day
        );
        let mut conversation = Conversation::user(&task);
        let mut caller = Caller::new(&cast.agents, AGENT, &case.conversation_id, CLAUDE);
        caller.instructions = INSTRUCTIONS;
        caller.tools = tools();
        let stock = call(recorder, "check_stock", json!({"item": case.item, "near": case.city}));
        caller.chat(
            recorder,
            agent,
            &mut conversation,
            calls("First I need to know where we have one.", &[&stock]),
        );
        let found = self.check_stock(recorder, agent, &stock);
        conversation.tool_result(&stock, &found);
        let book = call(
            recorder,
            "book_courier",
            json!({"from": "warehouse-2", "to": case.city, "before": case.day, "service": "express"}),
        );
        caller.chat(
            recorder,
            agent,
            &mut conversation,
            calls("Warehouse 2 has three. Express arrives in time.", &[&book]),
        );
        check_policy(
            recorder,
            agent,
            self.support,
            "spend-limit",
            "allow",
            "18.40 EUR is within the limit of 50 EUR",
        );
        let failed = self.book_courier_refused(recorder, agent, &book);
        conversation.tool_result(&book, &failed);
        let again = call(
            recorder,
            "book_courier",
            json!({"from": "warehouse-2", "to": case.city, "before": case.day, "service": "express", "pickup": "16:00"}),
        );
        caller.chat(
            recorder,
            agent,
            &mut conversation,
            calls("That pickup is fully booked. I'll ask for the next one.", &[&again]),
        );
        let tracking = format!("CW{}", recorder.random.between(1_000_000_000, 10_000_000_000));
        let booked = self.book_courier(recorder, agent, &again, &tracking);
        conversation.tool_result(&again, &booked);
        self.publish(recorder, agent, &tracking);
        let report =
            format!("Booked: express from warehouse 2, picked up at 16:00, tracking number {tracking}.");
        caller.chat(recorder, agent, &mut conversation, says(&report));
        recorder.succeed(agent);
        json!({"status": "replaced", "tracking": tracking, "report": report})
    }

    fn check_stock(&self, recorder: &mut Recorder, agent: Open, asked: &ToolCall) -> Value {
        let cast = self.support.cast;
        tool_span(recorder, agent, self.support, asked, |recorder, span| {
            let client = recorder.open(Some(span), &cast.agents, "shop.Inventory/Find", Kind::Client);
            recorder.set(client, rpc());
            let server = recorder.open(Some(client), &cast.orders, "shop.Inventory/Find", Kind::Server);
            recorder.set(server, rpc());
            recorder.wait(2);
            let query = recorder.open(Some(server), &cast.orders, "SELECT stock", Kind::Client);
            recorder.set(query, [
                text("db.system.name", "postgresql"),
                text("db.namespace", "shop"),
                text("db.collection.name", "stock"),
                text("db.operation.name", "SELECT"),
                text("db.query.text", "SELECT warehouse, pieces FROM stock WHERE item = $1 ORDER BY distance($2, city) LIMIT 3"),
            ]);
            recorder.wait(11);
            recorder.close(query);
            recorder.close(server);
            recorder.close(client);
            json!([{"warehouse": "warehouse-2", "pieces": 3}, {"warehouse": "warehouse-5", "pieces": 1}])
        })
    }

    /// The courier is out of capacity: the tool fails, and the model has to think again.
    fn book_courier_refused(&self, recorder: &mut Recorder, agent: Open, asked: &ToolCall) -> Value {
        let reason = "no courier is free for a pickup at 14:00";
        let span = recorder.open(
            Some(agent),
            &self.support.cast.agents,
            "execute_tool book_courier",
            Kind::Internal,
        );
        let answer = json!({"error": "no_capacity", "message": reason});
        recorder.set(
            span,
            [
                text("gen_ai.operation.name", "execute_tool"),
                text("gen_ai.tool.name", asked.name),
                text("gen_ai.tool.type", "function"),
                text("gen_ai.tool.call.id", &asked.id),
                text("gen_ai.tool.call.arguments", &asked.arguments.to_string()),
                text("gen_ai.tool.call.result", &answer.to_string()),
            ],
        );
        let (client, server) = self.courier_request(recorder, span);
        recorder.wait(95);
        recorder.set(server, [int("http.response.status_code", 409)]);
        recorder.close(server);
        recorder.set(client, [int("http.response.status_code", 409)]);
        recorder.fail(client, "409", "courier-gateway answered 409 Conflict");
        recorder.log(span, WARN, reason, vec![text("gen_ai.tool.name", asked.name)]);
        recorder.fail(span, "NoCapacity", reason);
        answer
    }

    fn book_courier(&self, recorder: &mut Recorder, agent: Open, asked: &ToolCall, tracking: &str) -> Value {
        tool_span(recorder, agent, self.support, asked, |recorder, span| {
            let (client, server) = self.courier_request(recorder, span);
            recorder.wait(140);
            recorder.log(
                server,
                INFO,
                format!("courier booked, tracking number {tracking}"),
                vec![text("tracking", tracking)],
            );
            recorder.set(server, [int("http.response.status_code", 201)]);
            recorder.close(server);
            recorder.set(client, [int("http.response.status_code", 201)]);
            recorder.close(client);
            json!({"tracking": tracking, "pickup": "16:00", "price": "18.40 EUR"})
        })
    }

    fn courier_request(&self, recorder: &mut Recorder, parent: Open) -> (Open, Open) {
        let cast = self.support.cast;
        let client = recorder.open(Some(parent), &cast.agents, "POST", Kind::Client);
        recorder.set(client, super::story::http_client("POST", "http://courier-gateway:8082/bookings"));
        recorder.wait(1);
        let server = recorder.open(Some(client), &cast.carrier, "POST /bookings", Kind::Server);
        recorder.set(server, super::story::http_server("POST", "/bookings", "courier-gateway"));
        (client, server)
    }

    /// The warehouse is told by message, and acts on it in its own time.
    fn publish(&self, recorder: &mut Recorder, agent: Open, tracking: &str) {
        let (cast, case) = (self.support.cast, self.support.case);
        let message = format!("{}-{tracking}", case.order);
        let producer = recorder.open(Some(agent), &cast.agents, format!("send {TOPIC}"), Kind::Producer);
        recorder.set(producer, messaging("send", "publish", &message));
        recorder.wait(5);
        recorder.close(producer);
        recorder.wait(30);
        let consumer =
            recorder.open(Some(producer), &cast.fulfilment, format!("process {TOPIC}"), Kind::Consumer);
        recorder.link(consumer, producer);
        recorder.set(consumer, messaging("process", "process", &message));
        recorder.set(
            consumer,
            [text("messaging.consumer.group.name", "fulfilment"), int("messaging.kafka.offset", 48_211)],
        );
        recorder.wait(4);
        let insert = recorder.open(Some(consumer), &cast.fulfilment, "INSERT shipments", Kind::Client);
        recorder.set(
            insert,
            [
                text("db.system.name", "postgresql"),
                text("db.namespace", "warehouse"),
                text("db.collection.name", "shipments"),
                text("db.operation.name", "INSERT"),
                text("db.query.text", "INSERT INTO shipments (order_id, tracking) VALUES ($1, $2)"),
            ],
        );
        recorder.wait(7);
        recorder.close(insert);
        recorder.log(
            consumer,
            INFO,
            format!("shipment of order {} prepared", case.order),
            vec![text("tracking", tracking)],
        );
        recorder.close(consumer);
    }
}

fn messaging(name: &str, kind: &str, message: &str) -> Vec<model::value::Attribute> {
    vec![
        text("messaging.system", "kafka"),
        text("messaging.destination.name", TOPIC),
        text("messaging.operation.name", name),
        text("messaging.operation.type", kind),
        text("messaging.message.id", message),
        text("messaging.destination.partition.id", "3"),
    ]
}

fn rpc() -> Vec<model::value::Attribute> {
    vec![
        text("rpc.system.name", "grpc"),
        text("rpc.method", "shop.Inventory/Find"),
        text("rpc.response.status_code", "OK"),
    ]
}

fn tools() -> Value {
    json!([
        tool("check_stock", "Finds warehouses that have an article", &["item", "near"]),
        tool("book_courier", "Books a courier", &["from", "to", "before", "service"]),
    ])
}
