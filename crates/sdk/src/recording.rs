//! A span that is being recorded, as OpenTelemetry's interface has it, within its limits.

use crate::recorder::Recorder;
use crate::setup::Limits;
use opentelemetry::KeyValue;
use opentelemetry::trace::{Event, Link, Span, SpanContext, Status};
use opentelemetry_sdk::trace::SpanData;
use std::borrow::Cow;
use std::time::SystemTime;

/// A span that is being recorded until it ends.
#[derive(Debug)]
pub(crate) struct Recording {
    context: SpanContext,
    /// None once it ended.
    data: Option<SpanData>,
    recorder: &'static Recorder,
}

impl Recording {
    pub(crate) fn new(context: SpanContext, mut data: SpanData, recorder: &'static Recorder) -> Self {
        bound(&mut data, recorder.limits());
        Self { context, data: Some(data), recorder }
    }

    /// One that nobody will see.
    pub(crate) fn unseen(context: SpanContext, recorder: &'static Recorder) -> Self {
        Self { context, data: None, recorder }
    }
}

/// Leaves out what a span was started with beyond its limits, and counts it.
fn bound(data: &mut SpanData, limits: &Limits) {
    data.dropped_attributes_count = cut(&mut data.attributes, limits.attributes);
    data.events.dropped_count = cut(&mut data.events.events, limits.events);
    for event in &mut data.events.events {
        event.dropped_attributes_count = cut(&mut event.attributes, limits.attributes_per_event);
    }
    data.links.dropped_count = cut(&mut data.links.links, limits.links);
    for link in &mut data.links.links {
        link.dropped_attributes_count = cut(&mut link.attributes, limits.attributes_per_link);
    }
}

/// Keeps so many; how many there were beyond.
fn cut<T>(list: &mut Vec<T>, most: u32) -> u32 {
    let beyond = list.len().saturating_sub(most as usize);
    list.truncate(most as usize);
    u32::try_from(beyond).unwrap_or(u32::MAX)
}

/// Adds one if it is within the limit, or counts it as left out.
fn add<T>(list: &mut Vec<T>, most: u32, dropped: &mut u32, one: impl FnOnce() -> T) {
    if list.len() < most as usize {
        list.push(one());
    } else {
        *dropped = dropped.saturating_add(1);
    }
}

impl Span for Recording {
    fn add_event_with_timestamp<T: Into<Cow<'static, str>>>(
        &mut self,
        name: T,
        timestamp: SystemTime,
        mut attributes: Vec<KeyValue>,
    ) {
        let Some(data) = &mut self.data else { return };
        let limits = self.recorder.limits();
        let dropped = cut(&mut attributes, limits.attributes_per_event);
        let events = &mut data.events;
        add(&mut events.events, limits.events, &mut events.dropped_count, || {
            Event::new(name, timestamp, attributes, dropped)
        });
    }

    fn span_context(&self) -> &SpanContext {
        &self.context
    }

    fn is_recording(&self) -> bool {
        self.data.is_some()
    }

    fn set_attribute(&mut self, attribute: KeyValue) {
        let Some(data) = &mut self.data else { return };
        let most = self.recorder.limits().attributes;
        add(&mut data.attributes, most, &mut data.dropped_attributes_count, || attribute);
    }

    fn set_status(&mut self, status: Status) {
        let Some(data) = &mut self.data else { return };
        // `Ok` is final, and an error goes before nothing said.
        if status > data.status {
            data.status = status;
        }
    }

    fn update_name<T: Into<Cow<'static, str>>>(&mut self, new_name: T) {
        if let Some(data) = &mut self.data {
            data.name = new_name.into();
        }
    }

    fn add_link(&mut self, span_context: SpanContext, mut attributes: Vec<KeyValue>) {
        let Some(data) = &mut self.data else { return };
        let limits = self.recorder.limits();
        let dropped = cut(&mut attributes, limits.attributes_per_link);
        let links = &mut data.links;
        add(&mut links.links, limits.links, &mut links.dropped_count, || {
            Link::new(span_context, attributes, dropped)
        });
    }

    fn end_with_timestamp(&mut self, timestamp: SystemTime) {
        if let Some(data) = &mut self.data {
            data.end_time = timestamp;
            self.recorder.take(&mut self.data);
            self.data = None;
        }
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        if self.is_recording() {
            self.end();
        }
    }
}
