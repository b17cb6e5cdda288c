//! A call of a model: what was asked for, what came of it, how long the first token took.

use crate::agents::operation;
use crate::content::{self, INPUT, Message, OUTPUT, SYSTEM};
use crate::histograms::Origin;
use crate::metrics::{self, Measured, tell_apart};
use crate::span::{Span, Start};
use opentelemetry::trace::{SpanKind, TraceContextExt};
use opentelemetry::{KeyValue, StringValue};
use std::borrow::Cow;
use std::ops::Deref;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// What measurements of most calls are told apart by, without growing.
const ROOM: usize = 6;

/// A call of a model: `chat MODEL`.
pub fn model_call(provider: &'static str, model: &str) -> ModelCallStart {
    call("chat", provider, model)
}

/// A call of a model that does something else: `embeddings MODEL`.
pub(crate) fn call(name: &'static str, provider: &'static str, model: &str) -> ModelCallStart {
    let (start, model) = operation(name, model, SpanKind::Client);
    let start = start.set("gen_ai.provider.name", provider);
    let mut about = Vec::with_capacity(ROOM);
    about.push(KeyValue::new("gen_ai.operation.name", name));
    about.push(KeyValue::new("gen_ai.provider.name", provider));
    about.push(KeyValue::new("gen_ai.request.model", model.clone()));
    ModelCallStart { start: start.set("gen_ai.request.model", model), about }
}

/// A call of a model that is about to be started.
#[derive(Debug, Clone)]
#[must_use = "a span is recorded once it is started"]
pub struct ModelCallStart {
    start: Start,
    /// What its measurements are told apart by, sorted by key.
    about: Vec<KeyValue>,
}

impl ModelCallStart {
    /// `gen_ai.request.temperature`.
    pub fn temperature(self, temperature: f64) -> Self {
        self.with(|start| start.set("gen_ai.request.temperature", temperature))
    }

    /// `gen_ai.request.max_tokens`.
    pub fn max_tokens(self, tokens: i64) -> Self {
        self.with(|start| start.set("gen_ai.request.max_tokens", tokens))
    }

    /// `gen_ai.request.top_p`.
    pub fn top_p(self, share: f64) -> Self {
        self.with(|start| start.set("gen_ai.request.top_p", share))
    }

    /// `gen_ai.request.stream`: the answer is read as it is made.
    pub fn stream(self) -> Self {
        self.with(|start| start.set("gen_ai.request.stream", true))
    }

    /// Where the provider is: `server.address` and `server.port`.
    pub fn server(mut self, address: &str, port: u16) -> Self {
        tell_apart(&mut self.about, KeyValue::new("server.address", address.to_owned()));
        tell_apart(&mut self.about, KeyValue::new("server.port", i64::from(port)));
        self.with(|start| start.set("server.address", address.to_owned()).set("server.port", i64::from(port)))
    }

    /// Any other attribute, scope, parent or link.
    pub fn with(mut self, more: impl FnOnce(Start) -> Start) -> Self {
        self.start = more(self.start);
        self
    }

    /// Starts it.
    #[must_use = "a span ends when it is dropped"]
    pub fn start(self) -> ModelCall {
        let span = self.start.start();
        let origin = Origin::of(span.context().span().span_context());
        let told = Told { about: self.about, ..Told::default() };
        let call = Arc::new(Call { began: Instant::now(), origin, told: Mutex::new(told) });
        ModelCall { span, call }
    }
}

/// What is told of a call for its measurements, which are made whether it is recorded or not.
#[derive(Debug, Default)]
struct Told {
    about: Vec<KeyValue>,
    input: Option<u64>,
    output: Option<u64>,
    /// Seconds from the start to the first token.
    first: Option<f64>,
    ended: bool,
}

#[derive(Debug)]
struct Call {
    began: Instant,
    origin: Origin,
    told: Mutex<Told>,
}

impl Call {
    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records the measurements, once.
    fn end(&self) {
        let mut told = self.lock();
        if std::mem::replace(&mut told.ended, true) {
            return;
        }
        let about = std::mem::take(&mut told.about);
        let Told { first, input, output, .. } = *told;
        drop(told);
        let Some(instruments) = metrics::instruments() else { return };
        let took = self.began.elapsed().as_secs_f64();
        instruments.record(about, Measured { took, first, input, output }, self.origin);
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        self.end();
    }
}

/// A call of a model that is under way. When it ends, its duration and its tokens are measured, too.
#[derive(Debug, Clone)]
pub struct ModelCall {
    span: Span,
    call: Arc<Call>,
}

impl Deref for ModelCall {
    type Target = Span;

    fn deref(&self) -> &Span {
        &self.span
    }
}

impl ModelCall {
    /// A call whose span another library began.
    pub(crate) fn of(span: Span) -> Self {
        let origin = Origin::of(span.context().span().span_context());
        let call = Arc::new(Call { began: Instant::now(), origin, told: Mutex::default() });
        Self { span, call }
    }

    /// What its measurements are told apart by, where that is known only later.
    pub(crate) fn about(&self, attributes: impl IntoIterator<Item = KeyValue>) {
        let mut told = self.call.lock();
        attributes.into_iter().for_each(|attribute| tell_apart(&mut told.about, attribute));
    }

    /// Tokens: all of the input, cached ones among them; all of the output, reasoning among it.
    pub fn usage(&self, input: i64, output: i64) {
        self.set("gen_ai.usage.input_tokens", input);
        self.set("gen_ai.usage.output_tokens", output);
        let mut told = self.call.lock();
        (told.input, told.output) = (u64::try_from(input).ok(), u64::try_from(output).ok());
    }

    /// Tokens of the input, where there are none of an output: of embeddings.
    pub fn input_tokens(&self, tokens: i64) {
        self.set("gen_ai.usage.input_tokens", tokens);
        self.call.lock().input = u64::try_from(tokens).ok();
    }

    /// Of the input tokens, those that were read from the provider's cache.
    pub fn cached(&self, tokens: i64) {
        self.set("gen_ai.usage.cache_read.input_tokens", tokens);
    }

    /// Of the input tokens, those that were written to the provider's cache.
    pub fn cache_written(&self, tokens: i64) {
        self.set("gen_ai.usage.cache_write.input_tokens", tokens);
    }

    /// Of the output tokens, those that the model thought with.
    pub fn reasoning(&self, tokens: i64) {
        self.set("gen_ai.usage.reasoning.output_tokens", tokens);
    }

    /// The model that answered, when the provider says so.
    pub fn response_model(&self, model: impl Into<StringValue>) {
        let model = model.into();
        self.set("gen_ai.response.model", model.clone());
        tell_apart(&mut self.call.lock().about, KeyValue::new("gen_ai.response.model", model));
    }

    /// The provider's id of its answer.
    pub fn response_id(&self, id: impl Into<StringValue>) {
        self.set("gen_ai.response.id", id.into());
    }

    /// Why the answer ended: `stop`, `length`, `tool_call` ...
    pub fn finish_reason(&self, reason: impl Into<StringValue>) {
        self.finish_reasons([reason]);
    }

    /// Why each of several answers ended.
    pub fn finish_reasons(&self, reasons: impl IntoIterator<Item = impl Into<StringValue>>) {
        self.set_list("gen_ai.response.finish_reasons", reasons);
    }

    /// What the call cost, in US dollars, where the provider says so.
    pub fn cost(&self, dollars: f64) {
        self.set("model.cost_usd", dollars);
    }

    /// The first token of a streamed answer is here. Only the first call counts.
    pub fn first_token(&self) {
        self.first_token_after(self.seconds());
    }

    /// Seconds since it began.
    pub(crate) fn seconds(&self) -> f64 {
        self.call.began.elapsed().as_secs_f64()
    }

    /// As [`Self::first_token`], of a token that was here so many seconds after it began.
    pub(crate) fn first_token_after(&self, seconds: f64) {
        let mut told = self.call.lock();
        if told.first.is_none() {
            told.first = Some(seconds);
            drop(told);
            self.set("gen_ai.response.time_to_first_chunk", seconds);
        }
    }

    /// What the model is told to be, if content is recorded.
    pub fn system(&self, instructions: impl Into<String>) {
        self.content(SYSTEM, || serde_json::json!([{ "type": "text", "content": instructions.into() }]));
    }

    /// What the model is asked, if content is recorded.
    pub fn input(&self, messages: impl IntoIterator<Item = Message>) {
        self.content(INPUT, || content::messages(messages));
    }

    /// What it answered, if content is recorded.
    pub fn output(&self, messages: impl IntoIterator<Item = Message>) {
        self.content(OUTPUT, || content::messages(messages));
    }

    /// It failed: as [`Span::fail`]; its measurements tell, too.
    pub fn fail(&self, error_type: impl Into<StringValue>, message: impl Into<Cow<'static, str>>) {
        let error_type = error_type.into();
        self.span.fail(error_type.clone(), message);
        tell_apart(&mut self.call.lock().about, KeyValue::new("error.type", error_type));
    }

    /// It failed with this error: as [`Span::fail_with`]; its measurements tell, too.
    pub fn fail_with<E: std::error::Error + ?Sized>(&self, error: &E) {
        let (error_type, message) = crate::span::described(error);
        self.fail(error_type, message);
    }

    /// It failed with what says so: as [`Span::fail_said`]; its measurements tell, too.
    pub fn fail_said(&self, error: &(impl std::fmt::Debug + std::fmt::Display)) {
        self.fail(crate::span::type_of(&format!("{error:?}")), error.to_string());
    }

    /// Ends it now.
    pub fn end(&self) {
        self.tell_speed();
        self.call.end();
        self.span.end();
    }

    /// Lets a future run with this span active, and ends the span with it.
    pub async fn run<T>(self, future: impl Future<Output = T>) -> T {
        let Self { span, call } = self;
        let ending = Self { span: span.clone(), call };
        let done = span.within(future).await;
        ending.end();
        done
    }

    /// Of a streamed answer, how many tokens came in a second once they came.
    fn tell_speed(&self) {
        let told = self.call.lock();
        let (Some(first), Some(output), false) = (told.first, told.output, told.ended) else {
            return;
        };
        drop(told);
        let streamed = self.call.began.elapsed().as_secs_f64() - first;
        if streamed > 0.0 && output > 1 {
            #[expect(clippy::cast_precision_loss, reason = "tokens are far fewer than 2^52")]
            self.set("gen_ai.response.tokens_per_second", (output - 1) as f64 / streamed);
        }
    }
}
