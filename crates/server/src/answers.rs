//! Large answers under way: how many bytes of them wait for their readers at the same time is bounded, and a reader that
//! takes nothing for long is given up, so that its answer takes no room for ever.

use crate::error::ApiError;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use model::Kind;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;
use tokio::time::Instant;

/// All of them together.
const ROOM: usize = 160 << 20;
/// Smaller ones are not counted.
const LARGE: usize = 1 << 20;
/// What is handed on at a time, as a copy: what waits in a connection does not keep the whole.
const PART: usize = 64 << 10;
/// How long a reader may take for a part when others wait for its room.
const PATIENCE: Duration = Duration::from_secs(30);

/// The large answers that are being read.
#[derive(Default)]
pub struct Answers(Mutex<Vec<Weak<Answer>>>);

/// One of them.
struct Answer(Mutex<Waiting>);

struct Waiting {
    /// Nothing when its reader was given up.
    bytes: Option<Bytes>,
    moved: Instant,
}

impl Answer {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn room(&self) -> usize {
        self.lock().bytes.as_ref().map_or(0, Bytes::len)
    }
}

impl Answers {
    /// These bytes as an answer of this type; an error when too many are under way.
    pub fn give(&self, content_type: &'static str, bytes: Vec<u8>) -> Result<Response, ApiError> {
        let length = bytes.len();
        let body = if length < LARGE { Body::from(bytes) } else { self.body(bytes.into())? };
        let heads = [(CONTENT_TYPE, content_type.to_owned()), (CONTENT_LENGTH, length.to_string())];
        Ok((heads, body).into_response())
    }

    fn body(&self, bytes: Bytes) -> Result<Body, ApiError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|answer| answer.strong_count() > 0);
        let under_way: Vec<Arc<Answer>> = known.iter().filter_map(Weak::upgrade).collect();
        let held = || under_way.iter().map(|answer| answer.room()).sum::<usize>();
        let has_room = || held() == 0 || held().saturating_add(bytes.len()) <= ROOM;
        if !has_room() {
            let now = Instant::now();
            for answer in &under_way {
                let mut waiting = answer.lock();
                if now.duration_since(waiting.moved) > PATIENCE {
                    waiting.bytes = None;
                }
            }
        }
        if !has_room() {
            let message = "too many large answers are being read; ask again later, or for less";
            return Err(ApiError::new(Kind::Busy, message));
        }
        let answer = Arc::new(Answer(Mutex::new(Waiting { bytes: Some(bytes), moved: Instant::now() })));
        known.push(Arc::downgrade(&answer));
        Ok(Body::from_stream(parts(answer)))
    }
}

fn parts(answer: Arc<Answer>) -> impl futures::Stream<Item = io::Result<Bytes>> + Send {
    stream::unfold(Some((answer, 0)), |reading| async {
        let (answer, start) = reading?;
        let mut waiting = answer.lock();
        waiting.moved = Instant::now();
        let Some(bytes) = &waiting.bytes else {
            tracing::warn!(
                "a large answer was given up: its reader took nothing for {} s",
                PATIENCE.as_secs()
            );
            return Some((Err(io::Error::other("the answer was not read in time")), None));
        };
        let end = bytes.len().min(start + PART);
        let part = bytes.get(start..end).filter(|part| !part.is_empty()).map(Bytes::copy_from_slice)?;
        drop(waiting);
        Some((Ok(part), Some((answer, end))))
    })
}

#[cfg(test)]
mod tests {
    use super::{Answers, PATIENCE, ROOM};
    use http_body_util::BodyExt;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn large_answers_take_room_until_they_are_read_or_given_up() {
        let answers = Answers::default();
        let large = || answers.give("text/plain", vec![b'a'; ROOM / 2]);
        let (first, mut second) = (large().unwrap(), large().unwrap());
        assert!(large().is_err());
        answers.give("text/plain", vec![b'a'; 100]).unwrap();
        let whole = first.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(whole.len(), ROOM / 2);
        let mut third = large().unwrap();
        assert!(large().is_err());
        tokio::time::advance(PATIENCE + Duration::from_secs(1)).await;
        // One that goes on is not given up.
        assert!(third.body_mut().frame().await.unwrap().is_ok());
        large().unwrap();
        assert!(third.body_mut().frame().await.unwrap().is_ok());
        assert!(second.body_mut().frame().await.unwrap().is_err());
    }

    #[tokio::test]
    async fn what_is_larger_than_all_room_is_given_alone() {
        let answers = Answers::default();
        let alone = answers.give("text/plain", vec![b'a'; ROOM + 1]).unwrap();
        assert!(answers.give("text/plain", vec![b'a'; 2 << 20]).is_err());
        drop(alone);
        answers.give("text/plain", vec![b'a'; 2 << 20]).unwrap();
    }
}
