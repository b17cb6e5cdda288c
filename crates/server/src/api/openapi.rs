//! The `OpenAPI` description of everything under `/api`; `tests/contract.rs` holds it to the code.

use axum::Json;
use serde_json::{Value, json};

/// A path: its method, what it does, its parameters, and the type of its answer.
pub struct Described {
    pub path: &'static str,
    pub method: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    pub answer: &'static str,
    /// Keys that a JSON answer always has.
    pub keys: &'static [&'static str],
}

const JSON: &str = "application/json";

const fn get(
    path: &'static str,
    summary: &'static str,
    parameters: &'static [&'static str],
    keys: &'static [&'static str],
) -> Described {
    Described { path, method: "get", summary, parameters, answer: JSON, keys }
}

const SUMMARY: &[&str] = &[
    "traceId",
    "rootName",
    "rootService",
    "rootKind",
    "start",
    "duration",
    "status",
    "ownStatus",
    "spans",
    "errors",
    "agents",
    "services",
    "models",
    "unnamed",
    "kinds",
    "inputTokens",
    "outputTokens",
    "cachedTokens",
    "cost",
    "reportedCost",
    "computedCost",
    "unpricedModels",
    "input",
    "running",
    "conversation",
    "orphans",
    "complete",
    "incompleteReason",
];

const SPAN: &[&str] = &[
    "traceId",
    "spanId",
    "parentSpanId",
    "name",
    "kind",
    "spanKind",
    "service",
    "agent",
    "subject",
    "start",
    "end",
    "duration",
    "status",
    "traceState",
    "flags",
    "attributes",
    "resource",
    "scope",
    "events",
    "links",
    "dropped",
    "gen",
    "complete",
    "incompleteReason",
];

const ENVELOPE: &[&str] = &["data", "total", "limit", "offset", "errors"];

const STATUS: &[&str] = &[
    "version",
    "started",
    "ready",
    "stored",
    "spansPerSecond",
    "diskBytes",
    "diskFreeBytes",
    "hotBytes",
    "blocks",
    "damagedBlocks",
    "retention",
    "sampling",
    "pageBuilt",
    "receivers",
    "health",
    "problems",
    "events",
];

const ENTITIES: &[&str] = &["q", "from", "to", "limit"];

const ENTITY: &[&str] = &[
    "name",
    "spans",
    "traces",
    "errors",
    "duration",
    "usage",
    "first",
    "last",
    "decisions",
    "series",
    "complete",
    "incompleteReason",
];

const CONVERSATION: &[&str] = &[
    "name",
    "spans",
    "traces",
    "errors",
    "duration",
    "usage",
    "first",
    "last",
    "decisions",
    "series",
    "turns",
    "complete",
    "incompleteReason",
];

/// Every path of ours.
pub const PATHS: &[Described] = &[
    get(
        "/api/v1/traces",
        "traces with a matching span, newest first",
        &["q", "from", "to", "limit", "cursor"],
        &["traces", "cursor", "complete", "incompleteReason", "elapsedMs"],
    ),
    get("/api/v1/traces/{trace}", "a trace in one line", &[], SUMMARY),
    Described {
        method: "delete",
        ..get(
            "/api/v1/traces/{trace}",
            "delete a trace, with its log records, for good",
            &[],
            &["traceId", "spans", "logRecords"],
        )
    },
    get(
        "/api/v1/traces/{trace}/run",
        "a trace as the run of an agent: usage and cost, state and first failure, critical path, findings",
        &[],
        &[
            "traceId",
            "state",
            "total",
            "byModel",
            "byAgent",
            "calls",
            "firstFailure",
            "criticalPath",
            "retries",
            "waits",
            "findings",
            "complete",
            "incompleteReason",
        ],
    ),
    get(
        "/api/v1/traces/{trace}/calls",
        "the model calls of a trace, each with what is new against the call before it of the same agent",
        &["limit"],
        &["calls", "complete", "incompleteReason"],
    ),
    Described {
        answer: "application/vnd.clew.skeleton",
        ..get("/api/v1/traces/{trace}/skeleton", "every span of a trace without bodies, in binary", &[], &[])
    },
    get("/api/v1/traces/{trace}/spans/{span}", "a whole span", &[], SPAN),
    Described {
        answer: "application/octet-stream",
        ..get(
            "/api/v1/traces/{trace}/spans/{span}/body/{key}",
            "an attribute's whole value; Range is honoured",
            &["in"],
            &[],
        )
    },
    Described {
        method: "post",
        ..get(
            "/api/v1/traces/{trace}/spans:batch",
            "whole spans, by {\"spanIds\": [...]}",
            &[],
            &["spans", "complete", "incompleteReason"],
        )
    },
    get(
        "/api/v1/query/parse",
        "whether a query is valid, and what is wrong where",
        &["q"],
        &["valid", "canonical", "error"],
    ),
    Described {
        method: "delete",
        ..get(
            "/api/v1/everything",
            "delete everything of a tenant, for good",
            &[],
            &["spans", "logRecords", "metricPoints"],
        )
    },
    Described {
        answer: "application/x-ndjson",
        ..get(
            "/api/v1/export/{signal}",
            "all traces, logs or metrics, or those that match, as lines of OTLP's JSON",
            &["q", "from", "to"],
            &[],
        )
    },
    get(
        "/api/v1/logs",
        "log records of a trace, or by filter",
        &["traceId", "spanId", "q", "from", "to", "limit"],
        &["logs", "complete", "incompleteReason"],
    ),
    get("/api/v1/metrics", "the metrics stored", &[], &["metrics", "complete", "incompleteReason"]),
    get(
        "/api/v1/metrics/{name}",
        "the raw series of a metric",
        &["from", "to", "limit"],
        &["name", "series", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/operations",
        "how often and how long operations ran, those that took the most time first",
        &["q", "from", "to", "limit"],
        &["operations", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/agents",
        "agents and what they did, those with the most spans first",
        ENTITIES,
        &["agents", "complete", "incompleteReason"],
    ),
    get("/api/v1/agents/{name}", "one of the agents, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/models",
        "models and what they did, those with the most spans first",
        ENTITIES,
        &["models", "complete", "incompleteReason"],
    ),
    get("/api/v1/models/{name}", "one of the models, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/tools",
        "tools and what they did, those with the most spans first",
        ENTITIES,
        &["tools", "complete", "incompleteReason"],
    ),
    get("/api/v1/tools/{name}", "one of the tools, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/conversations",
        "conversations and what they did, those with the most spans first",
        ENTITIES,
        &["conversations", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/conversations/{name}",
        "one of the conversations, with a series over time and its turns",
        ENTITIES,
        CONVERSATION,
    ),
    get(
        "/api/v1/conversations/{name}/calls",
        "the model calls of all turns of a conversation, each with what is new against the call before it",
        ENTITIES,
        &["name", "calls", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/users",
        "users and what they did, those with the most spans first",
        ENTITIES,
        &["users", "complete", "incompleteReason"],
    ),
    get("/api/v1/users/{name}", "one of the users, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/policies",
        "policies and what they did, those with the most spans first",
        ENTITIES,
        &["policies", "complete", "incompleteReason"],
    ),
    get("/api/v1/policies/{name}", "one of the policies, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/workflows",
        "workflows and what they did, those with the most spans first",
        ENTITIES,
        &["workflows", "complete", "incompleteReason"],
    ),
    get("/api/v1/workflows/{name}", "one of the workflows, with a series over time", ENTITIES, ENTITY),
    get(
        "/api/v1/findings",
        "what is wrong with traces themselves, by kind and operation, with examples",
        &["kind", "service", "from", "to", "limit"],
        &["findings", "totals", "spans", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/fields",
        "keys that queries may name",
        &["from", "to"],
        &["fields", "complete", "incompleteReason"],
    ),
    get(
        "/api/v1/fields/{key}/values",
        "values of a key, most frequent first",
        &["prefix", "limit", "from", "to"],
        &["values", "complete", "incompleteReason"],
    ),
    Described {
        answer: "text/event-stream",
        ..get("/api/v1/live", "server-sent events: trace.upsert, stats, receiver.event", &[], &[])
    },
    get("/api/v1/status", "what the server says of itself", &[], STATUS),
    Described { method: "post", ..get("/api/v1/sample", "stores a sample run", &[], &["traceId"]) },
    get("/api/v1/openapi.json", "this document", &[], &["openapi", "info", "paths", "components"]),
    get("/api/services", "Jaeger's: services", &["prettyPrint"], ENVELOPE),
    get(
        "/api/services/{service}/operations",
        "Jaeger's: operations of a service",
        &["prettyPrint"],
        ENVELOPE,
    ),
    get(
        "/api/operations",
        "Jaeger's: operations of a service, by kind",
        &["service", "spanKind", "prettyPrint"],
        ENVELOPE,
    ),
    get(
        "/api/traces",
        "Jaeger's: whole traces; times in microseconds",
        &[
            "service",
            "operation",
            "tag",
            "tags",
            "start",
            "end",
            "minDuration",
            "maxDuration",
            "limit",
            "traceID",
            "raw",
            "prettyPrint",
        ],
        ENVELOPE,
    ),
    get("/api/traces/{trace}", "Jaeger's: a whole trace", &["raw", "prettyPrint"], ENVELOPE),
    get(
        "/api/dependencies",
        "Jaeger's: calls between services; times in milliseconds",
        &["endTs", "lookback", "service", "prettyPrint"],
        ENVELOPE,
    ),
    get(
        "/api/logs",
        "the same as /api/v1/logs",
        &["trace_id", "span_id", "q", "from", "to", "limit"],
        &["logs", "complete", "incompleteReason"],
    ),
];

pub async fn document() -> Json<Value> {
    let mut paths = serde_json::Map::new();
    for described in PATHS {
        let methods = paths.entry(described.path).or_insert_with(|| json!({}));
        methods[described.method] = operation(described);
    }
    let error = json!({"type": "object", "required": ["error"], "properties": {"error": {
        "type": "object", "required": ["kind", "message", "at"],
        "properties": {
            "kind": {"enum": ["invalid", "notFound", "denied", "busy", "unavailable", "internal"]},
            "message": {"type": "string"},
            "at": {"type": ["integer", "null"], "description": "position in the query"},
        },
    }}});
    Json(json!({
        "openapi": "3.1.0",
        "info": {"title": "Clew", "version": "v1", "description": "Times and 64-bit integers are decimal strings, times in nanoseconds."},
        "paths": paths,
        "components": {"schemas": {"Error": error}},
    }))
}

fn operation(described: &Described) -> Value {
    let in_path = described.path.split('/').filter_map(|part| part.strip_prefix('{')?.split('}').next());
    let string = json!({"type": "string"});
    let mut parameters: Vec<Value> =
        in_path.map(|name| json!({"name": name, "in": "path", "required": true, "schema": string})).collect();
    parameters.extend(
        described.parameters.iter().map(|name| json!({"name": name, "in": "query", "schema": string})),
    );
    let properties: serde_json::Map<_, _> =
        described.keys.iter().map(|key| ((*key).to_owned(), json!({}))).collect();
    let schema = if described.answer == JSON {
        json!({"type": "object", "required": described.keys, "properties": properties})
    } else {
        json!({})
    };
    let mut operation = json!({
        "summary": described.summary,
        "parameters": parameters,
        "responses": {
            "200": {"description": described.summary, "content": {described.answer: {"schema": schema}}},
            "default": {"description": "an error", "content": {JSON: {"schema": {"$ref": "#/components/schemas/Error"}}}},
        },
    });
    if described.path.ends_with("spans:batch") {
        let ids = json!({"type": "object", "required": ["spanIds"], "properties": {"spanIds": {"type": "array", "maxItems": 200, "items": string}}});
        operation["requestBody"] = json!({"required": true, "content": {JSON: {"schema": ids}}});
    }
    operation
}
