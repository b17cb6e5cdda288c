//! The story as a whole: a customer writes to the shop, the agents act, the warehouse ships.

use super::recorder::{INFO, Kind, Open, Recorder, Service, int, text};
use super::support::Support;
use super::{Random, Run, metrics};
use model::Timestamp;

/// The programs that take part.
pub struct Cast {
    pub shop: Service,
    pub agents: Service,
    pub orders: Service,
    pub carrier: Service,
    pub fulfilment: Service,
}

/// What differs from run to run.
#[derive(Debug, Clone)]
pub struct Case {
    pub customer: &'static str,
    pub user_id: String,
    pub order: String,
    pub conversation_id: String,
    pub item: &'static str,
    pub fault: &'static str,
    pub city: &'static str,
    pub day: &'static str,
}

impl Case {
    fn new(random: &mut Random) -> Self {
        Self {
            customer: random.pick(&["Ada", "Bruno", "Chidi", "Dalia", "Emre", "Fumiko", "Gita", "Henrik"]),
            user_id: format!("user-{}", random.between(100, 1_000)),
            order: format!("A-{}", random.between(10_000, 100_000)),
            conversation_id: format!("conv-{:012x}", random.next() >> 16),
            item: random.pick(&[
                "espresso machine",
                "desk lamp",
                "record player",
                "tea kettle",
                "bicycle pump",
                "standing desk",
            ]),
            fault: random.pick(&[
                "arrived broken",
                "arrived with a cracked base",
                "does not turn on",
                "came without its power cable",
            ]),
            city: random.pick(&["Lisbon", "Kraków", "Osaka", "Nairobi", "Montréal", "Tallinn"]),
            day: random.pick(&["Thursday", "Friday", "Saturday"]),
        }
    }

    pub fn question(&self) -> String {
        format!(
            "Hi, this is {}. My {} (order {}) {}. I need a working one before {}, can you replace it?",
            self.customer, self.item, self.order, self.fault, self.day
        )
    }
}

pub fn tell(seed: u64, end: Timestamp) -> Run {
    let mut recorder = Recorder::new(seed);
    let case = Case::new(&mut recorder.random);
    let cast = Cast {
        shop: Service::new("shop-web", "3.2.0", "nodejs", "@opentelemetry/instrumentation-http"),
        agents: Service::new("support-agents", "1.8.1", "python", "opentelemetry.instrumentation.genai"),
        orders: Service::new("order-service", "2.4.0", "go", "otelhttp"),
        carrier: Service::new("courier-gateway", "0.9.3", "rust", "courier-gateway"),
        fulfilment: Service::new("fulfilment-worker", "1.1.0", "java", "io.opentelemetry.kafka-clients-2.6"),
    };
    shop_request(&mut recorder, &cast, &case);
    let trace_id = recorder.trace_id;
    let start = Timestamp(end.0.saturating_sub(recorder.elapsed()));
    let (spans, logs) = recorder.finish(start);
    let metrics = metrics::points(&spans, end);
    Run { trace_id, spans, logs, metrics }
}

fn shop_request(recorder: &mut Recorder, cast: &Cast, case: &Case) {
    let root = recorder.open(None, &cast.shop, "POST /chat", Kind::Server);
    recorder.set(root, http_server("POST", "/chat", "shop.example.com"));
    recorder.set(
        root,
        [
            text("user.id", &case.user_id),
            text("session.id", &case.conversation_id),
            text("gen_ai.conversation.id", &case.conversation_id),
        ],
    );
    recorder.wait(3);
    recorder.log(root, INFO, format!("message from {} about order {}", case.user_id, case.order), vec![]);
    let call = recorder.open(Some(root), &cast.shop, "POST", Kind::Client);
    recorder.set(call, http_client("POST", "http://support-agents:8080/runs"));
    recorder.wait(2);
    Support { cast, case }.run(recorder, call);
    recorder.wait(2);
    status(recorder, call, 200);
    recorder.close(call);
    recorder.wait(2);
    status(recorder, root, 200);
    recorder.close(root);
}

pub fn http_server(method: &str, route: &str, host: &str) -> Vec<model::value::Attribute> {
    vec![
        text("http.request.method", method),
        text("http.route", route),
        text("url.path", route),
        text("url.scheme", "http"),
        text("server.address", host),
        text("network.protocol.version", "1.1"),
    ]
}

pub fn http_client(method: &str, url: &str) -> Vec<model::value::Attribute> {
    vec![text("http.request.method", method), text("url.full", url)]
}

pub fn status(recorder: &mut Recorder, span: Open, code: u64) {
    recorder.set(span, [int("http.response.status_code", code)]);
}
