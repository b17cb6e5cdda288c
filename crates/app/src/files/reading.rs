//! Tells what a file is by looking into it: lines of OTLP's JSON, one JSON document, Jaeger's JSON, or Parquet.

use super::{Request, Unreadable, jaeger, table};
use crate::failure::Failure;
use anyhow::Context;
use model::{Signal, otlp};
use serde::Deserialize;
use serde_json::value::RawValue;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// The longest JSON document that is read at once.
const LONGEST: u64 = 1 << 30;

type Item = Result<Request, Unreadable>;

/// What a file holds, from its start to its end; `-` is standard input.
pub fn read(path: &Path) -> Result<Box<dyn Iterator<Item = Item>>, Failure> {
    if path == Path::new("-") {
        return Ok(Box::new(Documents::new(BufReader::new(std::io::stdin()))));
    }
    let file = File::open(path).with_context(|| format!("opening {}", path.display()))?;
    let mut start = BufReader::new(file);
    let is_table = start.fill_buf().is_ok_and(|bytes| bytes.starts_with(b"PAR1"));
    if is_table { table::read(path) } else { Ok(Box::new(Documents::new(start))) }
}

/// JSON documents: one a line, or one over many lines.
struct Documents<R> {
    from: R,
    line: u64,
    ready: std::vec::IntoIter<Item>,
}

impl<R: BufRead> Documents<R> {
    fn new(from: R) -> Self {
        Self { from, line: 0, ready: Vec::new().into_iter() }
    }

    /// The next line that is not empty, and its number.
    fn next_line(&mut self) -> Option<Result<String, Unreadable>> {
        loop {
            let mut line = String::new();
            self.line += 1;
            match self.from.by_ref().take(LONGEST).read_line(&mut line) {
                Ok(0) => return None,
                Ok(_) if line.trim().is_empty() => {}
                Ok(_) => return Some(Ok(line)),
                Err(error) => return Some(Err(self.unreadable(&error))),
            }
        }
    }

    fn unreadable(&self, reason: &impl ToString) -> Unreadable {
        Unreadable { place: format!("line {}", self.line), reason: reason.to_string() }
    }

    /// A document that a line begins: when it does not end there, it ends where the file does.
    fn documents(&mut self, mut text: String) -> Vec<Item> {
        let parsed = serde_json::from_str::<&RawValue>(&text);
        if parsed.is_err_and(|error| error.is_eof()) {
            let rest = self.from.by_ref().take(LONGEST).read_to_string(&mut text);
            if let Err(error) = rest {
                return vec![Err(self.unreadable(&error))];
            }
        }
        let mut items = Vec::new();
        for document in serde_json::Deserializer::from_str(&text).into_iter::<&RawValue>() {
            match document {
                Ok(document) => items.extend(
                    requests(document)
                        .into_iter()
                        .map(|request| request.map_err(|reason| self.unreadable(&reason))),
                ),
                Err(error) => items.push(Err(self.unreadable(&format!("not JSON: {error}")))),
            }
        }
        items
    }
}

impl<R: BufRead> Iterator for Documents<R> {
    type Item = Item;

    fn next(&mut self) -> Option<Item> {
        loop {
            if let Some(item) = self.ready.next() {
                return Some(item);
            }
            match self.next_line()? {
                Ok(line) => self.ready = self.documents(line).into_iter(),
                Err(unreadable) => return Some(Err(unreadable)),
            }
        }
    }
}

/// The keys that tell documents apart.
#[derive(Deserialize)]
struct Keys<'d> {
    #[serde(borrow, alias = "resource_spans", rename = "resourceSpans")]
    traces: Option<&'d RawValue>,
    #[serde(borrow, alias = "resource_logs", rename = "resourceLogs")]
    logs: Option<&'d RawValue>,
    #[serde(borrow, alias = "resource_metrics", rename = "resourceMetrics")]
    metrics: Option<&'d RawValue>,
    /// Of Jaeger's answers and files.
    #[serde(borrow)]
    data: Option<&'d RawValue>,
    /// Of one of Jaeger's traces.
    #[serde(borrow)]
    spans: Option<&'d RawValue>,
}

/// What a document holds.
pub fn requests(document: &RawValue) -> Vec<Result<Request, String>> {
    let json = document.get();
    if json.starts_with('[') {
        return match serde_json::from_str::<Vec<&RawValue>>(json) {
            Ok(documents) => documents.into_iter().flat_map(requests).collect(),
            Err(error) => vec![Err(error.to_string())],
        };
    }
    let Ok(keys) = serde_json::from_str::<Keys<'_>>(json) else {
        return vec![Err(format!("{} is no telemetry", json.chars().take(40).collect::<String>()))];
    };
    let signals = [(keys.traces, Signal::Traces), (keys.logs, Signal::Logs), (keys.metrics, Signal::Metrics)];
    let told: Vec<Signal> =
        signals.into_iter().filter_map(|(value, signal)| value.is_some().then_some(signal)).collect();
    let read = |signal| {
        let wire = otlp::from_json(signal, json.as_bytes()).map_err(|error| error.to_string())?;
        Ok(Request { signal, wire })
    };
    match (told.is_empty(), keys.data, keys.spans) {
        (false, _, _) => told.into_iter().map(read).collect(),
        (true, Some(data), _) => requests(data),
        (true, None, Some(_)) => vec![jaeger::request(json)],
        (true, None, None) => vec![Err(
            "it has none of resourceSpans, resourceLogs, resourceMetrics (OTLP's JSON), data or spans (Jaeger's)"
                .to_owned(),
        )],
    }
}
