//! Reads a request's body within its bounds: bytes, room, and time.

use crate::Intake;
use crate::intake::{Reason, Refusal, Room};
use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use std::time::Duration;

/// A sender may take this long to send a body.
const TIME: Duration = Duration::from_secs(60);
/// Room taken for a body whose length is not said.
const UNSAID: usize = 1 << 20;
/// Bytes around a message: gRPC's frame.
const FRAME: usize = 5;

/// The whole body, and its room until it has been worked on.
pub async fn read(intake: &Intake, headers: &HeaderMap, body: Body) -> Result<(Bytes, Room), Refusal> {
    let limit = intake.limits.request_bytes + FRAME;
    let said = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > limit) {
        return Err(crate::intake::too_large(intake.limits.request_bytes));
    }
    let mut room = intake.reserve(said.unwrap_or(UNSAID))?;
    let reading = Limited::new(body, limit).collect();
    let collected = tokio::time::timeout(TIME, reading)
        .await
        .map_err(|_| Refusal::new(Reason::TimedOut, "the body did not arrive within 60 seconds"))?;
    let bytes = collected.map_err(|error| refusal(intake, &*error))?.to_bytes();
    if said.is_none() && bytes.len() > UNSAID {
        room = intake.reserve(bytes.len())?;
    }
    Ok((bytes, room))
}

fn refusal(intake: &Intake, error: &(dyn std::error::Error + 'static)) -> Refusal {
    if error.is::<LengthLimitError>() {
        return crate::intake::too_large(intake.limits.request_bytes);
    }
    Refusal::new(Reason::Invalid, format!("the body could not be read to its end: {error}"))
}
