//! What a request asks of a model, as attributes: the names that the interfaces of providers share.

use opentelemetry::{Array, StringValue, Value};
use serde_json::Value as Json;

const FRACTIONS: [(&str, &str); 7] = [
    ("temperature", "gen_ai.request.temperature"),
    ("top_p", "gen_ai.request.top_p"),
    ("frequency_penalty", "gen_ai.request.frequency_penalty"),
    ("presence_penalty", "gen_ai.request.presence_penalty"),
    // Gemini has other letters.
    ("topP", "gen_ai.request.top_p"),
    ("frequencyPenalty", "gen_ai.request.frequency_penalty"),
    ("presencePenalty", "gen_ai.request.presence_penalty"),
];

const COUNTS: [(&str, &str); 9] = [
    ("max_tokens", "gen_ai.request.max_tokens"),
    ("max_completion_tokens", "gen_ai.request.max_tokens"),
    ("max_output_tokens", "gen_ai.request.max_tokens"),
    ("maxOutputTokens", "gen_ai.request.max_tokens"),
    ("num_predict", "gen_ai.request.max_tokens"),
    ("topK", "gen_ai.request.top_k"),
    ("dimensions", "gen_ai.embeddings.dimension.count"),
    ("top_k", "gen_ai.request.top_k"),
    ("seed", "gen_ai.request.seed"),
];

const LISTS: [(&str, &str); 4] = [
    ("stop", "gen_ai.request.stop_sequences"),
    ("stop_sequences", "gen_ai.request.stop_sequences"),
    ("stopSequences", "gen_ai.request.stop_sequences"),
    ("encoding_format", "gen_ai.request.encoding_formats"),
];

/// Where some keep them: Gemini, and Ollama.
const WITHIN: [&str; 2] = ["generationConfig", "options"];

/// What the request tells.
pub(crate) fn of(request: &Json) -> Vec<(&'static str, Value)> {
    let places = WITHIN.iter().map(|key| &request[*key]).filter(|within| within.is_object());
    std::iter::once(request).chain(places).flat_map(told).collect()
}

fn told(settings: &Json) -> impl Iterator<Item = (&'static str, Value)> {
    let fractions = FRACTIONS.iter().filter_map(|(key, name)| Some((*name, settings[*key].as_f64()?.into())));
    let counts = COUNTS.iter().filter_map(|(key, name)| Some((*name, settings[*key].as_i64()?.into())));
    let lists = LISTS.iter().filter_map(|(key, name)| Some((*name, texts(&settings[*key])?)));
    fractions.chain(counts).chain(lists)
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

#[cfg(test)]
mod tests {
    use super::of;
    use serde_json::json;

    #[test]
    fn providers_keep_settings_in_many_places() {
        for (request, expected) in [
            (
                json!({ "temperature": 0.5, "max_completion_tokens": 9, "stop": "END" }),
                "temperature=0.5 max_tokens=9 stop_sequences=[\"END\"]",
            ),
            (
                json!({ "generationConfig": { "topP": 0.5, "maxOutputTokens": 9, "stopSequences": ["a", "b"] } }),
                "top_p=0.5 max_tokens=9 stop_sequences=[\"a\",\"b\"]",
            ),
            (json!({ "options": { "num_predict": 9, "top_k": 3 } }), "max_tokens=9 top_k=3"),
            (json!({ "options": "none", "temperature": "hot" }), ""),
            (json!(null), ""),
        ] {
            let told = of(&request)
                .into_iter()
                .map(|(name, value)| format!("{}={value}", name.replace("gen_ai.request.", "")));
            let mut told: Vec<_> = told.collect();
            let mut expected: Vec<_> = expected.split_whitespace().map(str::to_owned).collect();
            told.sort();
            expected.sort();
            assert_eq!(told, expected, "{request}");
        }
    }
}
