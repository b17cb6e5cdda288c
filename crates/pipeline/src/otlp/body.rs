//! Reads a request's body within its bounds: bytes, room, and time.

use crate::Intake;
use crate::intake::{Buffer, Reason, Refusal, Room, too_large};
use ::http::request::Parts;
use ::http::{HeaderMap, Version};
use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::{Instant, timeout, timeout_at};

/// A body may pause this long.
const PAUSE: Duration = Duration::from_secs(15);
/// A body may take this long altogether: without this, a byte now and then would hold its room for ever.
const WHOLE: Duration = Duration::from_secs(120);
/// How long what a refused sender still sends is listened to.
const DISCARDING: Duration = Duration::from_secs(5);
/// Bytes around a message: gRPC's frame.
const FRAME: usize = 5;

/// The whole body, and the room that it takes until it has been worked on.
pub async fn read(intake: &Intake, headers: &HeaderMap, body: &mut Body) -> Result<(Bytes, Room), Refusal> {
    let limit = intake.limits.request_bytes;
    let said = headers.get("content-length").and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if said.is_some_and(|said| said > limit.saturating_add(FRAME)) {
        return Err(too_large(limit));
    }
    let mut room = intake.room();
    let mut buffer = Buffer::new(&mut room, limit.saturating_add(FRAME), said.unwrap_or(0));
    let end = Instant::now() + WHOLE;
    while let Some(data) = next(body, end).await? {
        buffer.extend(&data).map_err(|refusal| match refusal.reason {
            Reason::TooLarge => too_large(limit),
            _ => refusal,
        })?;
    }
    let bytes = buffer.finish();
    Ok((bytes, room))
}

/// The next piece of a body; trailers are passed over.
async fn next(body: &mut Body, end: Instant) -> Result<Option<Bytes>, Refusal> {
    loop {
        let until = end.min(Instant::now() + PAUSE);
        let Ok(frame) = timeout_at(until, body.frame()).await else {
            let message = format!(
                "the body stopped arriving: it may pause {} s and take {} s altogether; send smaller batches",
                PAUSE.as_secs(),
                WHOLE.as_secs()
            );
            return Err(Refusal::new(Reason::TimedOut, message));
        };
        let Some(frame) = frame else { return Ok(None) };
        let frame = frame.map_err(|error| {
            Refusal::new(Reason::Invalid, format!("the body could not be read to its end: {error}"))
        })?;
        if let Ok(data) = frame.into_data() {
            return Ok(Some(data));
        }
    }
}

/// Reads on what a refused HTTP/1 sender still sends, and forgets it: closing on it would reset the connection, and many
/// senders would then report that instead of the refusal.
pub async fn discard(intake: &Intake, head: &Parts, body: &mut Body) {
    // HTTP/2 ends a stream without that, and who expects "100 Continue" has not begun to send.
    if head.version >= Version::HTTP_2 || head.headers.contains_key("expect") {
        return;
    }
    let most = intake.limits.request_bytes.saturating_mul(2);
    let reading = async {
        let mut read = 0;
        while let Some(Ok(frame)) = body.frame().await {
            read += frame.data_ref().map_or(0, Bytes::len);
            if read > most {
                break;
            }
        }
    };
    // Out of time is as good as out of data.
    drop(timeout(DISCARDING, reading).await);
}
