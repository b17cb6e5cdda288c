//! What a receiver answers: `ExportTraceServiceResponse` and its like, and `google.rpc.Status`.

use super::wire::{Fields, Slice, put_message, put_number, put_text};
use crate::Signal;
use std::time::Duration;

/// The answer to a request that was taken, in protobuf: empty unless something was refused or is worth saying.
#[must_use]
pub fn encode_response(rejected: u64, message: &str) -> Vec<u8> {
    let mut out = Vec::new();
    if rejected > 0 || !message.is_empty() {
        put_message(&mut out, 1, |partial| {
            put_number(partial, 1, rejected);
            put_text(partial, 2, message);
        });
    }
    out
}

/// The same in JSON.
#[must_use]
pub fn json_response(signal: Signal, rejected: u64, message: &str) -> String {
    if rejected == 0 && message.is_empty() {
        return "{}".to_owned();
    }
    let count = match signal {
        Signal::Traces => "rejectedSpans",
        Signal::Logs => "rejectedLogRecords",
        Signal::Metrics => "rejectedDataPoints",
    };
    serde_json::json!({"partialSuccess": {count: rejected.to_string(), "errorMessage": message}}).to_string()
}

/// What a receiver's answer in protobuf says was refused, and why. `None` when it is not such an answer.
#[must_use]
pub fn decode_response(bytes: &[u8]) -> Option<(u64, String)> {
    let (mut rejected, mut message) = (0, String::new());
    for field in Fields::new(Slice { bytes, at: 0 }) {
        let (1, partial) = field.ok()? else { continue };
        for field in Fields::new(partial.slice()) {
            match field.ok()? {
                (1, count) => rejected = count.number(),
                (2, text) => message = String::from_utf8_lossy(text.slice().bytes).into_owned(),
                _ => {}
            }
        }
    }
    Some((rejected, message))
}

/// A `google.rpc.Status` in protobuf, with `RetryInfo` when it says how long to wait.
#[must_use]
pub fn encode_status(code: u32, message: &str, retry_after: Option<Duration>) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, u64::from(code));
    put_text(&mut out, 2, message);
    if let Some(delay) = retry_after {
        put_message(&mut out, 3, |any| {
            put_text(any, 1, "type.googleapis.com/google.rpc.RetryInfo");
            put_message(any, 2, |info| {
                put_message(info, 1, |duration| put_number(duration, 1, delay.as_secs()));
            });
        });
    }
    out
}

/// A gRPC frame around a message: not compressed.
#[must_use]
pub fn grpc_frame(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).expect("answers are small");
    let mut frame = vec![0];
    frame.extend_from_slice(&length.to_be_bytes());
    frame.extend_from_slice(message);
    frame
}

/// `grpc.health.v1.HealthCheckResponse`: serving.
#[must_use]
pub fn encode_serving() -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, 1, 1);
    out
}

#[cfg(test)]
mod tests {
    use super::{decode_response, encode_response};

    #[test]
    fn answers_are_read_as_they_were_written() {
        let long = "why ".repeat(100);
        for (rejected, message) in [(0, ""), (0, "only a warning"), (1, ""), (128, "why"), (70_000, &long)] {
            let read = decode_response(&encode_response(rejected, message));
            assert_eq!(read, Some((rejected, message.to_owned())));
        }
        assert_eq!(decode_response(b"<html>"), None);
    }
}
