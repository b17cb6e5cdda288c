//! The API's answers, as far as the command line shows them.

use serde::Deserialize;
use serde_json::Value;

/// A page of traces.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Search {
    pub traces: Vec<Summary>,
    pub complete: bool,
    pub incomplete_reason: Option<String>,
}

/// A trace in one line.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    pub trace_id: String,
    pub root_name: String,
    pub root_service: String,
    pub root_kind: String,
    #[serde(deserialize_with = "decimal")]
    pub start: u64,
    #[serde(deserialize_with = "decimal")]
    pub duration: u64,
    pub spans: u64,
    pub errors: u64,
    #[serde(deserialize_with = "decimal")]
    pub input_tokens: u64,
    #[serde(deserialize_with = "decimal")]
    pub output_tokens: u64,
    pub cost: Option<f64>,
    pub running: bool,
    pub orphans: u64,
}

/// The keys that are stored.
#[derive(Debug, Deserialize)]
pub struct Fields {
    pub fields: Vec<Field>,
}

#[derive(Debug, Deserialize)]
pub struct Field {
    pub key: String,
}

/// Values of a key, the most frequent first.
#[derive(Debug, Deserialize)]
pub struct Values {
    pub values: Vec<FieldValue>,
}

#[derive(Debug, Deserialize)]
pub struct FieldValue {
    pub value: String,
}

/// Something that is wrong with what is stored.
#[derive(Debug, Deserialize)]
pub struct Problem {
    pub severity: String,
    pub message: String,
}

/// What a running server says of itself.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Status {
    pub version: String,
    pub health: String,
    pub page_built: bool,
    #[serde(deserialize_with = "decimal")]
    pub disk_bytes: u64,
    #[serde(deserialize_with = "decimal")]
    pub hot_bytes: u64,
    #[serde(deserialize_with = "decimal")]
    pub disk_free_bytes: u64,
    pub stored: Stored,
    /// `None` when every trace is kept.
    #[serde(default)]
    pub sampling: Option<Sampling>,
    pub receivers: Vec<Receiver>,
    /// What is wrong with what is stored, the worst first.
    #[serde(default)]
    pub problems: Vec<Problem>,
    #[serde(default)]
    pub events: Vec<ReceiverEvent>,
}

/// Which traces a server keeps, and how many that were.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sampling {
    pub rest: f64,
    pub keep: String,
    pub wait: String,
    #[serde(deserialize_with = "decimal")]
    pub kept_traces: u64,
    #[serde(deserialize_with = "decimal")]
    pub dropped_traces: u64,
    #[serde(deserialize_with = "decimal")]
    pub dropped_spans: u64,
    #[serde(deserialize_with = "decimal")]
    pub early_traces: u64,
}

#[derive(Debug, Deserialize)]
pub struct Stored {
    #[serde(deserialize_with = "decimal")]
    pub spans: u64,
}

#[derive(Debug, Deserialize)]
pub struct Receiver {
    pub name: String,
    pub address: String,
    pub accepting: bool,
}

#[derive(Debug, Deserialize)]
pub struct ReceiverEvent {
    pub outcome: String,
    pub summary: String,
    pub hint: String,
}

/// A 64-bit number, which the API sends as text.
fn decimal<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let value = Value::deserialize(deserializer)?;
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    number.ok_or_else(|| serde::de::Error::custom(format!("expected a number, found {value}")))
}
