//! What a request asks of a model, as attributes: the names that the interfaces of providers share.

use crate::model_call::ModelCallStart;
use opentelemetry::{Array, StringValue, Value};
use serde_json::Value as Json;

const FRACTIONS: [(&str, &str); 4] = [
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
];

const COUNTS: [(&str, &str); 6] = [
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("max_completion_tokens", "gen_ai.request.max_tokens"),
    ("max_output_tokens", "gen_ai.request.max_tokens"),
    ("dimensions", "gen_ai.embeddings.dimension.count"),
    ("top_k", "gen_ai.request.top_k"),
    ("seed", "gen_ai.request.seed"),
];

const LISTS: [(&str, &str); 3] = [
    ("stop", "gen_ai.request.stop_sequences"),
    ("stop_sequences", "gen_ai.request.stop_sequences"),
    ("encoding_format", "gen_ai.request.encoding_formats"),
];

/// Sets what the request tells.
pub(super) fn told(call: ModelCallStart, request: &Json) -> ModelCallStart {
    let fractions = FRACTIONS.iter().filter_map(|(key, name)| Some((*name, request[*key].as_f64()?.into())));
    let counts = COUNTS.iter().filter_map(|(key, name)| Some((*name, request[*key].as_i64()?.into())));
    let lists = LISTS.iter().filter_map(|(key, name)| Some((*name, texts(&request[*key])?)));
    let attributes: Vec<(&'static str, Value)> = fractions.chain(counts).chain(lists).collect();
    let call =
        call.with(|start| attributes.into_iter().fold(start, |start, (name, value)| start.set(name, value)));
    if request["stream"] == true { call.stream() } else { call }
}

/// One text or several.
fn texts(value: &Json) -> Option<Value> {
    let texts: Vec<StringValue> = match value {
        Json::String(text) => vec![text.clone().into()],
        Json::Array(texts) => {
            texts.iter().filter_map(|text| Some(text.as_str()?.to_owned().into())).collect()
        }
        _ => return None,
    };
    Some(Value::Array(Array::String(texts)))
}
