//! Why a call of a model failed.

use crate::model_call::ModelCall;
use reqwest::Response;
use serde_json::Value;

/// So much of a refusal is read.
const REFUSAL_BYTES: usize = 64 * 1024;

/// Why a call of a model failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// The provider could not be reached, or no longer.
    #[error("the provider cannot be asked")]
    Unreachable(#[from] reqwest::Error),
    /// The provider does not answer this.
    #[error("the provider refused with {status}: {message}")]
    Refused {
        /// The status of HTTP.
        status: u16,
        /// The provider's own word for it, if it has one: `rate_limit_exceeded`.
        kind: Option<String>,
        /// What it says about it.
        message: String,
    },
    /// The provider failed after it began to answer.
    #[error("the provider failed while it answered: {message}")]
    Failed {
        /// The provider's own word for it, if it has one: `overloaded_error`.
        kind: Option<String>,
        /// What it says about it.
        message: String,
    },
    /// What came is no JSON.
    #[error("the provider's answer is no JSON")]
    NotUnderstood(#[source] serde_json::Error),
    /// The answer ended before its end.
    #[error("the answer broke off")]
    BrokenOff,
    /// One event of a streamed answer is longer than any that makes sense.
    #[error("an event of the answer is longer than {0} bytes")]
    TooLong(usize),
    /// This header, the key perhaps, has a value that headers cannot have.
    #[error("the value of the header `{0}` cannot be sent")]
    Header(&'static str),
}

impl CallError {
    /// What a refusal says.
    pub(super) async fn of(mut answer: Response) -> Self {
        let status = answer.status().as_u16();
        let mut body = Vec::new();
        while body.len() < REFUSAL_BYTES
            && let Ok(Some(bytes)) = answer.chunk().await
        {
            body.extend_from_slice(&bytes);
        }
        let said = serde_json::from_slice::<Value>(&body).ok().and_then(|body| said_in(&body));
        let (kind, message) = said
            .unwrap_or_else(|| (None, String::from_utf8_lossy(&body).chars().take(500).collect::<String>()));
        Self::Refused { status, kind, message }
    }

    /// Its type, low in number, as `error.type` tells it.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::Unreachable(error) if error.is_timeout() => "timeout".to_owned(),
            Self::Unreachable(_) => "unreachable".to_owned(),
            Self::Refused { status, kind, .. } => kind.clone().unwrap_or_else(|| status.to_string()),
            Self::Failed { kind, .. } => kind.clone().unwrap_or_else(|| "_OTHER".to_owned()),
            Self::NotUnderstood(_) => "not_understood".to_owned(),
            Self::BrokenOff => "broken_off".to_owned(),
            Self::TooLong(_) => "too_long".to_owned(),
            Self::Header(_) => "header".to_owned(),
        }
    }

    /// Records that a call failed by it.
    pub(super) fn tell(&self, call: &ModelCall) {
        call.fail(self.kind(), crate::span::described(self).1);
    }
}

/// The error that a body or an event tells, if any: the provider's word for it, and what it says.
pub(crate) fn said_in(body: &Value) -> Option<(Option<String>, String)> {
    let error = body.get("error").filter(|error| !error.is_null())?;
    let word = |key: &str| error[key].as_str().filter(|word| is_word(word)).map(str::to_owned);
    let message = error["message"].as_str().or(error.as_str());
    Some((word("code").or_else(|| word("type")), message.map_or_else(|| error.to_string(), str::to_owned)))
}

/// Words are few; sentences and ids are not.
fn is_word(text: &str) -> bool {
    let letter = |letter: char| letter.is_ascii_alphabetic() || matches!(letter, '_' | '-' | '.');
    !text.is_empty() && text.len() <= 64 && text.chars().all(letter)
}

#[cfg(test)]
mod tests {
    use super::said_in;
    use serde_json::json;

    #[test]
    fn providers_tell_errors_in_many_ways() {
        for (body, kind, message) in [
            (
                json!({ "error": { "type": "requests", "code": "rate_limit_exceeded", "message": "slow down" } }),
                "rate_limit_exceeded",
                "slow down",
            ),
            (
                json!({ "type": "error", "error": { "type": "overloaded_error", "message": "later" } }),
                "overloaded_error",
                "later",
            ),
            (json!({ "error": { "code": 503, "message": "busy" } }), "", "busy"),
            (json!({ "error": { "type": "no such model: gpt-9", "message": "?" } }), "", "?"),
            (json!({ "error": "model not found" }), "", "model not found"),
        ] {
            let (word, said) = said_in(&body).unwrap();
            assert_eq!((word.unwrap_or_default().as_str(), said.as_str()), (kind, message), "{body}");
        }
        assert!(said_in(&json!({ "error": null, "id": "chatcmpl-1" })).is_none());
    }
}
