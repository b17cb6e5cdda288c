//! Embeddings: what an answer tells of a call.

use crate::model_api;
use crate::model_call::ModelCall;
use serde_json::Value;

/// What came: which model made vectors, of how many tokens, and how long they are.
pub(super) fn answered(call: &ModelCall, answer: &Value) {
    model_api::identified(call, answer);
    if let Some(tokens) = answer["usage"]["prompt_tokens"].as_i64() {
        call.input_tokens(tokens);
    }
    // Vectors in base64 do not tell their length without being read.
    let length =
        answer["data"][0]["embedding"].as_array().and_then(|vector| i64::try_from(vector.len()).ok());
    if let Some(length) = length {
        call.set("gen_ai.embeddings.dimension.count", length);
    }
}
