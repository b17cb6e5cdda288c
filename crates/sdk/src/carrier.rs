//! Contexts in what travels: headers of any kind, metadata of events, `_meta` of MCP.

use opentelemetry::propagation::{Extractor, Injector};
use opentelemetry::{Context, global};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

/// Headers that a context can be written into: HTTP's, those of Kafka, NATS, or any other names and values.
pub trait Headers {
    /// Sets a header, in the place of one of the same name.
    fn set(&mut self, name: &str, value: String);
}

/// Headers that a context can be read from.
pub trait ReadHeaders {
    /// Shows each header. Values that are no text are left out.
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str));
}

/// Writes a context into headers, in the forms that were set up: `traceparent`, `tracestate`, `baggage` usually.
pub fn inject(context: &Context, headers: &mut (impl Headers + ?Sized)) {
    global::get_text_map_propagator(|form| form.inject_context(context, &mut Writer(headers)));
}

/// Writes the context that is active into headers.
pub fn inject_current(headers: &mut (impl Headers + ?Sized)) {
    inject(&Context::current(), headers);
}

/// Writes a context by a function that sets one header: for headers whose type is another crate's.
pub fn inject_with(context: &Context, set: impl FnMut(&str, String)) {
    inject(context, &mut Setter(set));
}

/// The context in pairs of names and values: for headers whose type is another crate's.
#[must_use]
pub fn extract_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Context {
    let reader = Reader(pairs.into_iter().collect());
    // From an empty context: what happens to be active here is not what the sender meant.
    global::get_text_map_propagator(|form| form.extract_with_context(&Context::new(), &reader))
}

/// The context that headers bring, for [`crate::Start::parent`]; an empty one if they bring none.
#[must_use]
pub fn extract(headers: &(impl ReadHeaders + ?Sized)) -> Context {
    let mut pairs: Vec<(&str, &str)> = Vec::new();
    headers.each(&mut |name, value| pairs.push((name, value)));
    extract_pairs(pairs)
}

/// The key that contexts have in an event's metadata.
const TRACE_HEADERS: &str = "trace_headers";

/// Writes a context into an event's metadata, as the map `trace_headers`.
pub fn inject_metadata(context: &Context, metadata: &mut Map<String, Value>) {
    let mut headers = Map::new();
    inject(context, &mut headers);
    metadata.insert(TRACE_HEADERS.to_owned(), headers.into());
}

/// The context in an event's metadata; none when there is no `trace_headers`, or nothing of use in it.
#[must_use]
pub fn extract_metadata(metadata: &Map<String, Value>) -> Option<Context> {
    use opentelemetry::trace::TraceContextExt;
    let context = extract(metadata.get(TRACE_HEADERS)?.as_object()?);
    context.span().span_context().is_valid().then_some(context)
}

/// Writes a context into the parameters of a request of MCP: `_meta`, beside what is there.
pub fn inject_mcp(context: &Context, parameters: &mut Value) {
    if parameters.is_null() {
        *parameters = Value::Object(Map::new());
    }
    let Some(parameters) = parameters.as_object_mut() else { return };
    let meta = parameters.entry("_meta").or_insert_with(|| Value::Object(Map::new()));
    if let Some(meta) = meta.as_object_mut() {
        inject(context, meta);
    }
}

/// The context in the parameters of a request of MCP; an empty one if they bring none.
#[must_use]
pub fn extract_mcp(parameters: &Value) -> Context {
    let meta = parameters.get("_meta").and_then(Value::as_object);
    meta.map(extract).unwrap_or_default()
}

struct Setter<F>(F);

impl<F: FnMut(&str, String)> Headers for Setter<F> {
    fn set(&mut self, name: &str, value: String) {
        (self.0)(name, value);
    }
}

struct Writer<'a, H: ?Sized>(&'a mut H);

impl<H: Headers + ?Sized> Injector for Writer<'_, H> {
    fn set(&mut self, key: &str, value: String) {
        // An empty `tracestate` says nothing, and some receivers refuse it.
        if !value.is_empty() {
            self.0.set(key, value);
        }
    }
}

struct Reader<'a>(Vec<(&'a str, &'a str)>);

impl Extractor for Reader<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name.eq_ignore_ascii_case(key)).map(|(_, value)| *value)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| *name).collect()
    }

    fn get_all(&self, key: &str) -> Option<Vec<&str>> {
        let named = self.0.iter().filter(|(name, _)| name.eq_ignore_ascii_case(key));
        let values: Vec<_> = named.map(|(_, value)| *value).collect();
        (!values.is_empty()).then_some(values)
    }
}

impl<S: BuildHasher> Headers for HashMap<String, String, S> {
    fn set(&mut self, name: &str, value: String) {
        self.insert(name.to_owned(), value);
    }
}

impl<S: BuildHasher> ReadHeaders for HashMap<String, String, S> {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        self.iter().for_each(|(name, value)| show(name, value));
    }
}

impl Headers for BTreeMap<String, String> {
    fn set(&mut self, name: &str, value: String) {
        self.insert(name.to_owned(), value);
    }
}

impl ReadHeaders for BTreeMap<String, String> {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        self.iter().for_each(|(name, value)| show(name, value));
    }
}

/// Headers of Kafka: a list of names and bytes.
impl Headers for Vec<(String, Vec<u8>)> {
    fn set(&mut self, name: &str, value: String) {
        self.retain(|(had, _)| had != name);
        self.push((name.to_owned(), value.into_bytes()));
    }
}

impl ReadHeaders for [(String, Vec<u8>)] {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        for (name, value) in self {
            if let Ok(value) = std::str::from_utf8(value) {
                show(name, value);
            }
        }
    }
}

impl Headers for Vec<(String, String)> {
    fn set(&mut self, name: &str, value: String) {
        self.retain(|(had, _)| had != name);
        self.push((name.to_owned(), value));
    }
}

impl ReadHeaders for [(String, String)] {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        self.iter().for_each(|(name, value)| show(name, value));
    }
}

impl Headers for Map<String, Value> {
    fn set(&mut self, name: &str, value: String) {
        self.insert(name.to_owned(), value.into());
    }
}

impl ReadHeaders for Map<String, Value> {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        for (name, value) in self {
            if let Some(value) = value.as_str() {
                show(name, value);
            }
        }
    }
}

#[cfg(feature = "http")]
impl Headers for http::HeaderMap {
    fn set(&mut self, name: &str, value: String) {
        let name = http::HeaderName::try_from(name);
        if let (Ok(name), Ok(value)) = (name, http::HeaderValue::try_from(value)) {
            self.insert(name, value);
        }
    }
}

#[cfg(feature = "http")]
impl ReadHeaders for http::HeaderMap {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        for (name, value) in self {
            if let Ok(value) = value.to_str() {
                show(name.as_str(), value);
            }
        }
    }
}

#[cfg(feature = "grpc")]
impl Headers for tonic::metadata::MetadataMap {
    fn set(&mut self, name: &str, value: String) {
        let name = tonic::metadata::MetadataKey::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, value.parse()) {
            self.insert(name, value);
        }
    }
}

#[cfg(feature = "grpc")]
impl ReadHeaders for tonic::metadata::MetadataMap {
    fn each<'a>(&'a self, show: &mut dyn FnMut(&'a str, &'a str)) {
        for entry in self.iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(name, value) = entry
                && let Ok(value) = value.to_str()
            {
                show(name.as_str(), value);
            }
        }
    }
}
