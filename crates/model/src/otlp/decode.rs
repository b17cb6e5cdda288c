//! Walks an export request: resources, scopes, items. The three signals frame them alike.

use super::chunk::{Chunks, Context, Row, Rows};
use super::error::DecodeError;
use super::validate;
use super::wire::{Fields, Malformed, Slice};
use crate::batch::Rejected;
use arrow::record_batch::RecordBatch;

/// How many reasons for refusing items are told.
const MAX_REASONS: usize = 5;

/// Reads all items of a request.
pub fn request<'a, R: Rows<'a>>(wire: &'a [u8]) -> Result<(Vec<RecordBatch>, Rejected), DecodeError> {
    let mut walk =
        Walk::<R> { chunks: Chunks::new(), row: Row::default(), rejected: Rejected::default(), items: 0 };
    for field in Fields::new(Slice { bytes: wire, at: 0 }) {
        if let (1, data) = field.map_err(|error| malformed(error, R::SIGNAL))? {
            walk.resource(data.slice()).map_err(|error| malformed(error, R::SIGNAL))?;
        }
    }
    Ok((walk.chunks.finish(), walk.rejected))
}

fn malformed(error: Malformed, signal: crate::Signal) -> DecodeError {
    let message = format!(
        "not an OTLP {signal} export request in protobuf: {}; check the content type and that nothing on the way changed the body",
        error.what
    );
    DecodeError { at: error.at, message }
}

struct Walk<'a, R: Rows<'a>> {
    chunks: Chunks<'a, R>,
    row: Row<'a, R::Own>,
    rejected: Rejected,
    items: u64,
}

impl<'a, R: Rows<'a>> Walk<'a, R> {
    /// `ResourceSpans` and the like: 1 resource, 2 scopes, 3 schema URL, in any order.
    fn resource(&mut self, slice: Slice<'a>) -> Result<(), Malformed> {
        let mut context = Context::default();
        let mut refused = None;
        for field in Fields::new(slice) {
            match field? {
                (1, data) => {
                    context.resource = data.slice().bytes;
                    refused = validate::message(data.slice(), &[], 1).err();
                    context.service = service_name(data.slice());
                }
                (3, data) => {
                    context.resource_schema_url = std::str::from_utf8(data.slice().bytes).unwrap_or_default();
                }
                _ => {}
            }
        }
        for field in Fields::new(slice) {
            if let (2, data) = field? {
                self.scope(data.slice(), context, refused.as_deref())?;
            }
        }
        Ok(())
    }

    /// `ScopeSpans` and the like: 1 scope, 2 items, 3 schema URL.
    fn scope(
        &mut self,
        slice: Slice<'a>,
        mut context: Context<'a>,
        refused: Option<&str>,
    ) -> Result<(), Malformed> {
        let mut refused = refused.map(|reason| format!("its resource: {reason}"));
        for field in Fields::new(slice) {
            match field? {
                (1, data) => {
                    context.scope = data.slice().bytes;
                    let wrong = validate::message(data.slice(), &[1, 2], 3).err();
                    refused = refused.or(wrong.map(|reason| format!("its scope: {reason}")));
                }
                (3, data) => {
                    context.scope_schema_url = std::str::from_utf8(data.slice().bytes).unwrap_or_default();
                }
                _ => {}
            }
        }
        for field in Fields::new(slice) {
            if let (2, data) = field? {
                self.items += 1;
                match &refused {
                    Some(reason) => refuse(&mut self.rejected, self.items, R::SIGNAL, reason),
                    None => self.item(data.slice(), &context),
                }
            }
        }
        Ok(())
    }

    fn item(&mut self, slice: Slice<'a>, context: &Context<'a>) {
        let Self { chunks, row, rejected, items } = self;
        R::read(slice, row, &mut |read| match read {
            Ok(row) => chunks.push(context, row),
            Err(reason) => refuse(rejected, *items, R::SIGNAL, &reason),
        });
    }
}

fn refuse(rejected: &mut Rejected, item: u64, signal: crate::Signal, reason: &str) {
    rejected.count += 1;
    if rejected.reasons.len() < MAX_REASONS {
        let noun = match signal {
            crate::Signal::Traces => "span",
            crate::Signal::Logs => "log record",
            crate::Signal::Metrics => "metric",
        };
        rejected.reasons.push(format!("{noun} {item}: {reason}"));
    }
}

/// The resource's `service.name` when it is text.
fn service_name(resource: Slice<'_>) -> Option<&str> {
    Fields::new(resource).flatten().filter(|(number, _)| *number == 1).find_map(|(_, entry)| {
        let (key, value) = validate::key_value(entry.slice(), 1).ok()?;
        let (number, data) = Fields::new(value).flatten().last()?;
        (key == "service.name" && number == 1).then(|| std::str::from_utf8(data.slice().bytes).ok())?
    })
}
