//! A span under way, what is known of it, and how it ends.

use super::fields::Fields;
use super::{OPERATION, kind};
use crate::content::{DEFINITIONS, OUTPUT};
use crate::finish;
use crate::model_call::ModelCall;
use crate::options;
use crate::request_settings;
use crate::span::Span;
use opentelemetry::KeyValue;
use opentelemetry::trace::{SpanKind, TraceContextExt};
use serde_json::Value as Json;

/// When a provider takes a request up, rig has this of it.
const REQUEST_ID: &str = "rig.provider_request_id";

/// What an answer of a model tells in any case.
const ANSWERED: [&str; 4] =
    ["gen_ai.response.id", "gen_ai.response.model", "gen_ai.usage.output_tokens", OUTPUT];

/// A span under way, and what it told so far.
pub(super) struct UnderWay {
    pub(super) span: Span,
    /// Of calls of models, what is measured.
    call: Option<ModelCall>,
    pub(super) fields: Fields,
    /// Whether rig says with its fields whether a model answered.
    is_of_rig: bool,
    /// Whether the provider took the request for a streamed answer up.
    is_taken_up: bool,
    /// Of such an answer, the seconds until its first chunk.
    first: Option<f64>,
    /// Why the model ended its answers.
    reasons: Vec<String>,
    /// Why the last call of a model below failed, if it did.
    failed_below: Option<String>,
    /// The last error that was told within it.
    error: Option<String>,
}

impl UnderWay {
    pub(super) fn new(span: Span, operation: &str, fields: Fields, is_of_rig: bool) -> Self {
        let call = (kind(operation) == SpanKind::Client).then(|| ModelCall::of(span.clone()));
        let (first, failed_below, error) = (None, None, None);
        let (is_taken_up, reasons) = (false, Vec::new());
        Self { span, call, fields, is_of_rig, is_taken_up, first, reasons, failed_below, error }
    }

    /// Fields were recorded.
    pub(super) fn recorded(&mut self) {
        let streams = self.fields.text("gen_ai.request.stream").is_some_and(|streams| streams == "true");
        self.is_taken_up = streams && self.fields.get(REQUEST_ID).is_some();
    }

    /// It is active again. rig reads a stream whenever something came: what comes first, once the provider took the request
    /// up, is the first chunk.
    pub(super) fn entered(&mut self) {
        if self.is_taken_up && self.first.is_none() {
            self.first = self.call.as_ref().map(ModelCall::seconds);
        }
    }

    /// An error was told within it.
    pub(super) fn failed(&mut self, message: String) {
        self.error = Some(message);
    }

    /// A call of a model below it ended.
    pub(super) fn below(&mut self, failed: Option<String>) {
        self.failed_below = failed;
    }

    /// What rig sends to a provider.
    pub(super) fn asked(&mut self, request: &Json) {
        if self.call.is_none() {
            return;
        }
        for (name, value) in request_settings::of(request) {
            self.fields.put(name, value);
        }
        if request["tools"].is_array() && options::content().is_some() {
            self.fields.put(DEFINITIONS, request["tools"].to_string());
        }
    }

    /// What a provider answered.
    pub(super) fn answered(&mut self, answer: &Json) {
        self.reasons = finish::reasons(answer);
    }

    /// Names the span by what it turned out to be, and ends it; tells whether it called a model, and why that failed.
    pub(super) fn finish(mut self) -> Option<Option<String>> {
        let operation = self.fields.text(OPERATION).unwrap_or_default();
        let subject = match operation.as_str() {
            "invoke_agent" | "plan" => "gen_ai.agent.name",
            "execute_tool" => "gen_ai.tool.name",
            "invoke_workflow" => "gen_ai.workflow.name",
            _ => "gen_ai.request.model",
        };
        let name = self.fields.text(subject).map(|subject| format!("{operation} {subject}"));
        self.span.context().span().update_name(name.unwrap_or(operation));
        let failed = self.failure();
        match self.call.take() {
            Some(call) => {
                self.finish_call(&call, failed.as_deref());
                Some(failed)
            }
            None => {
                self.span.context().span().set_attributes(self.fields.attributes());
                self.span.end();
                None
            }
        }
    }

    /// Why it failed, if it did; its status says so then. An error that was told within it is why, unless it knows better.
    fn failure(&mut self) -> Option<String> {
        let told = self.fields.text("error.type");
        self.fields.take("error.type");
        let outcome = self.fields.text("gen_ai.tool.call.outcome");
        let error_type = told
            .or_else(|| (outcome.as_deref() == Some("error")).then(|| "tool_error".to_owned()))
            .or_else(|| self.unanswered())
            .or_else(|| self.failed_below.take())
            .or_else(|| self.error.as_ref().map(|_| "_OTHER".to_owned()))?;
        match self.error.take() {
            Some(message) => self.span.fail(error_type.clone(), message),
            None => self.span.failed(error_type.clone()),
        }
        Some(error_type)
    }

    /// rig does not tell that a call failed, but it tells of each that did not.
    fn unanswered(&self) -> Option<String> {
        let answered = !self.reasons.is_empty() || ANSWERED.iter().any(|key| self.fields.get(key).is_some());
        (self.call.is_some() && self.is_of_rig && !answered).then(|| "_OTHER".to_owned())
    }

    fn finish_call(mut self, call: &ModelCall, failed: Option<&str>) {
        let names = [OPERATION, "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model"];
        call.about(names.into_iter().filter_map(|name| Some(KeyValue::new(name, self.fields.text(name)?))));
        call.about(failed.map(|failed| KeyValue::new("error.type", failed.to_owned())));
        let (input, output) = ("gen_ai.usage.input_tokens", "gen_ai.usage.output_tokens");
        if let Some(asked) = self.fields.number(input) {
            match self.fields.number(output) {
                Some(answered) => call.usage(asked, answered),
                None => call.input_tokens(asked),
            }
            self.fields.take(input);
            self.fields.take(output);
        }
        if let Some(seconds) = self.first.filter(|_| failed.is_none()) {
            call.first_token_after(seconds);
        }
        self.tell_reasons(call);
        self.span.context().span().set_attributes(self.fields.attributes());
        call.end();
    }

    /// Why the answers ended; rig's messages say that it is unknown.
    fn tell_reasons(&mut self, call: &ModelCall) {
        if self.reasons.is_empty() {
            return;
        }
        let messages = self.fields.text(OUTPUT).and_then(|said| serde_json::from_str(&said).ok());
        if let Some(Json::Array(mut messages)) = messages {
            for (message, reason) in messages.iter_mut().zip(&self.reasons) {
                if message.is_object() {
                    message["finish_reason"] = reason.as_str().into();
                }
            }
            self.fields.put(OUTPUT, Json::Array(messages).to_string());
        }
        call.finish_reasons(std::mem::take(&mut self.reasons));
    }
}
