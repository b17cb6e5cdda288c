//! Who takes part in the made-up work: services with their processes, agents, models and tools. A few do most of it.

use crate::demo::Random;
use model::value::{Resource, Scope, Shared};
use model::{Attribute, Value};

const APPLICATIONS: [&str; 10] =
    ["support", "research", "coding", "sales", "travel", "finance", "legal", "people", "logistics", "clinic"];
/// The part that a service plays in its application, its language, and the library that records its spans.
const PARTS: [(&str, &str, &str); 3] = [
    ("gateway", "nodejs", "@opentelemetry/instrumentation-http"),
    ("agents", "python", "opentelemetry.instrumentation.genai"),
    ("tools", "go", "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp"),
];
const INSTANCES: usize = 3;

pub const ROLES: [&str; 6] = ["planner", "assistant", "researcher", "writer", "reviewer", "clerk"];

#[derive(Debug, Clone, Copy)]
pub struct Model {
    pub name: &'static str,
    pub answers_as: &'static str,
    pub provider: &'static str,
    pub host: &'static str,
}

const fn model(
    name: &'static str,
    answers_as: &'static str,
    provider: &'static str,
    host: &'static str,
) -> Model {
    Model { name, answers_as, provider, host }
}

pub const MODELS: [Model; 7] = [
    model("gpt-4.1", "gpt-4.1-2025-04-14", "openai", "api.openai.com"),
    model("claude-sonnet-4-5", "claude-sonnet-4-5-20250929", "anthropic", "api.anthropic.com"),
    model("gpt-4.1-mini", "gpt-4.1-mini-2025-04-14", "openai", "api.openai.com"),
    model("gemini-2.5-pro", "gemini-2.5-pro", "gcp.gemini", "generativelanguage.googleapis.com"),
    model("o3", "o3-2025-04-16", "openai", "api.openai.com"),
    model("mistral-large-latest", "mistral-large-2411", "mistral_ai", "api.mistral.ai"),
    model("llama-3.3-70b", "llama-3.3-70b-instruct", "groq", "api.groq.com"),
];

pub const TOOLS: [&str; 16] = [
    "search_documents",
    "lookup_customer",
    "run_query",
    "fetch_page",
    "read_file",
    "send_mail",
    "update_ticket",
    "calculate",
    "create_invoice",
    "book_courier",
    "list_events",
    "write_file",
    "run_tests",
    "translate",
    "convert_currency",
    "schedule_meeting",
];

pub const COLLECTIONS: [&str; 6] = ["handbook", "tickets", "contracts", "products", "research-notes", "wiki"];
pub const TABLES: [&str; 6] = ["orders", "customers", "invoices", "shipments", "events", "accounts"];

/// Which service of an application.
#[derive(Debug, Clone, Copy)]
pub enum Part {
    Gateway = 0,
    Agents = 1,
    Tools = 2,
}

/// A process that sends spans; processes are numbered, so that a request can be put in their order.
#[derive(Debug)]
pub struct Process {
    pub resource: Shared<Resource>,
    pub scope: Shared<Scope>,
}

/// All processes of all services.
#[derive(Debug)]
pub struct Cast(Vec<Process>);

impl Cast {
    pub fn new() -> Self {
        let mut processes = Vec::new();
        for application in APPLICATIONS {
            for (part, language, library) in PARTS {
                processes.extend((0..INSTANCES).map(|number| Process {
                    resource: Shared::new(resource(application, part, language, number)),
                    scope: Shared::new(Scope {
                        name: library.to_owned(),
                        version: "0.58.1".to_owned(),
                        ..Scope::default()
                    }),
                }));
            }
        }
        Self(processes)
    }

    /// The number of an application's process, and the process.
    pub fn process(&self, application: usize, part: Part, instance: usize) -> (usize, &Process) {
        let number = ((application % APPLICATIONS.len()) * PARTS.len() + part as usize) * INSTANCES
            + instance % INSTANCES;
        (number, &self.0[number])
    }

    pub fn application(random: &mut Random) -> usize {
        skewed(random, APPLICATIONS.len())
    }

    pub fn name(application: usize) -> &'static str {
        APPLICATIONS[application % APPLICATIONS.len()]
    }
}

fn resource(application: &str, part: &str, language: &str, number: usize) -> Resource {
    let service = format!("{application}-{part}");
    let pod = format!("{service}-7d9f8b6c5-x{number}kq{}", application.len());
    let attributes = vec![
        text("service.name", service.as_str()),
        text("service.version", format!("2.{}.{number}", application.len())),
        text("service.namespace", "agents"),
        text("service.instance.id", format!("{pod}.agents")),
        text("deployment.environment.name", "production"),
        text("host.name", format!("node-{:02}", (application.len() * 3 + number) % 12)),
        text("k8s.pod.name", pod),
        text("cloud.region", "eu-central-1"),
        text("telemetry.sdk.name", "opentelemetry"),
        text("telemetry.sdk.language", language),
    ];
    Resource { attributes, ..Resource::default() }
}

/// A number below `count`: small ones come often, large ones seldom.
pub fn skewed(random: &mut Random, count: usize) -> usize {
    const BITS: u32 = 21;
    let part = random.next() >> (64 - BITS);
    let cubed = (part * part * part) >> (2 * BITS);
    usize::try_from((cubed * count as u64) >> BITS).unwrap_or(0)
}

/// One of these, most often one of the first.
pub fn pick<T: Copy>(random: &mut Random, choices: &[T]) -> T {
    choices[skewed(random, choices.len())]
}

pub fn text(key: &str, value: impl Into<String>) -> Attribute {
    Attribute::new(key, Value::String(value.into()))
}

pub fn int(key: &str, value: u64) -> Attribute {
    Attribute::new(key, Value::Int(value.cast_signed()))
}
