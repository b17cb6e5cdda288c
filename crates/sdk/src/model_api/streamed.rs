//! An answer that is read as it is made, and its call, which ends with it.

use super::events::Events;
use super::{CallError, said_in};
use crate::model_call::ModelCall;
use reqwest::Response;
use serde_json::Value;

/// What an event of a streamed answer brings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Brought {
    /// Something about the answer.
    News,
    /// A piece of the answer itself.
    Token,
}

/// What gathers the events of a provider's stream into the answer that would have come at once.
pub(crate) trait Gathers: std::fmt::Debug + Send + Sync {
    /// Takes in what an event brings.
    fn take(&mut self, event: &Value) -> Brought;
    /// Why the provider fails, if an event says that it does: its word for it, and what it says.
    fn failure(&self, event: &Value) -> Option<(Option<String>, String)> {
        said_in(event)
    }
    /// Whether nothing of the answer is missing, should the stream end here.
    fn is_whole(&self) -> bool;
    /// Whether an event said that nothing comes after it.
    fn is_over(&self) -> bool;
    /// What is gathered so far.
    fn answer(&self) -> Value;
    /// Records what is known of an answer.
    fn record(&self, call: &ModelCall);
}

/// An answer under way. The call ends with the answer's last event, or when this is dropped.
#[derive(Debug)]
pub struct Stream {
    call: ModelCall,
    response: Response,
    events: Events,
    gathered: Box<dyn Gathers>,
    ended: bool,
}

impl Stream {
    pub(super) fn new(call: ModelCall, response: Response, gathered: Box<dyn Gathers>) -> Self {
        Self { call, response, events: Events::default(), gathered, ended: false }
    }

    /// The next event, or chunk as some call it; none after the last.
    ///
    /// # Errors
    /// When the provider fails, or the answer breaks off.
    pub async fn next(&mut self) -> Result<Option<Value>, CallError> {
        if self.ended {
            return Ok(None);
        }
        let next = self.read().await;
        match &next {
            Ok(Some(_)) => {}
            Ok(None) => self.end(),
            Err(error) => {
                error.tell(&self.call);
                self.end();
            }
        }
        next
    }

    /// Reads the rest, and gives the answer in the form that it has without streaming.
    ///
    /// # Errors
    /// When the provider fails, or the answer breaks off.
    pub async fn whole(mut self) -> Result<Value, CallError> {
        while self.next().await?.is_some() {}
        Ok(self.gathered.answer())
    }

    async fn read(&mut self) -> Result<Option<Value>, CallError> {
        loop {
            if let Some(data) = self.events.next() {
                return if data == "[DONE]" { Ok(None) } else { self.event(&data).map(Some) };
            }
            match self.response.chunk().await? {
                Some(bytes) => self.events.push(&bytes)?,
                None if self.gathered.is_whole() => return Ok(None),
                None => return Err(CallError::BrokenOff),
            }
        }
    }

    fn event(&mut self, data: &str) -> Result<Value, CallError> {
        let event: Value = serde_json::from_str(data).map_err(CallError::NotUnderstood)?;
        let brought = self.gathered.take(&event);
        if let Some((kind, message)) = self.gathered.failure(&event) {
            return Err(CallError::Failed { kind, message });
        }
        if brought == Brought::Token {
            self.call.first_token();
        }
        if self.gathered.is_over() {
            self.end();
        }
        Ok(event)
    }

    fn end(&mut self) {
        if !std::mem::replace(&mut self.ended, true) {
            self.gathered.record(&self.call);
            self.call.end();
        }
    }
}

/// Whoever reads no further has what came until then recorded.
impl Drop for Stream {
    fn drop(&mut self) {
        self.end();
    }
}

/// Of items that each tell their `index`, the one with this; a new one if there is none yet.
pub(crate) fn by_index<'a>(
    items: &'a mut Vec<Value>,
    index: &Value,
    new: impl FnOnce() -> Value,
) -> Option<&'a mut Value> {
    let place = items.iter().position(|item| item["index"] == *index).unwrap_or_else(|| {
        items.push(new());
        items.len() - 1
    });
    items.get_mut(place)
}

/// Lengthens a text by a piece.
pub(crate) fn append(text: &mut Value, piece: &str) {
    match text {
        Value::String(text) => text.push_str(piece),
        other => *other = piece.into(),
    }
}
