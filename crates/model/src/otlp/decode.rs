//! Walks an export request: resources, scopes, items. The three signals frame them alike.

use super::chunk::{CHUNK_ROWS, Chunks, Context, Row, Rows};
use super::error::DecodeError;
use super::refuse::{Item, Refusal, Refusals};
use super::validate::{self, Reason, Scalar};
use super::wire::{Fields, Malformed, Slice};
use crate::batch::Rejected;
use arrow::record_batch::RecordBatch;

/// The longest request: its columns' 32-bit offsets must not overflow.
const MAX_BYTES: usize = 1 << 30;

/// Reads all items of a request.
pub fn request<'a, R: Rows<'a>>(wire: &'a [u8]) -> Result<(Vec<RecordBatch>, Rejected), DecodeError> {
    if wire.len() > MAX_BYTES {
        let message = format!("a request of {} bytes; send at most {MAX_BYTES} at a time", wire.len());
        return Err(DecodeError { at: MAX_BYTES, message });
    }
    let mut walk = Walk::<R> {
        chunks: Chunks::new(),
        row: Row::default(),
        refusals: Refusals::new(R::SIGNAL),
        items: 0,
        pending: Vec::new(),
    };
    for field in Fields::new(Slice { bytes: wire, at: 0 }) {
        if let (1, data) = field.map_err(|error| malformed(error, R::SIGNAL))? {
            walk.resource(data.slice()).map_err(|error| malformed(error, R::SIGNAL))?;
        }
    }
    walk.flush();
    let columns = walk.chunks.finish();
    let rejected = walk.refusals.finish(columns.is_empty());
    Ok((columns, rejected))
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
    refusals: Refusals,
    items: u64,
    /// Items that will be the next rows, once they are in order.
    pending: Vec<((u128, u64), Item<'a>, Context<'a>)>,
}

impl<'a, R: Rows<'a>> Walk<'a, R> {
    /// `ResourceSpans` and the like: 1 resource, 2 scopes, 3 schema URL, in any order.
    fn resource(&mut self, slice: Slice<'a>) -> Result<(), Malformed> {
        let mut context = Context::default();
        let mut refused = Ok(());
        for field in Fields::new(slice) {
            match field? {
                (1, data) => {
                    context.resource = data.slice().bytes;
                    refused = refused.and(validate::message(data.slice(), &[], 1));
                    context.service = service_name(data.slice());
                }
                (3, data) => match validate::text(data.slice(), "its schema URL") {
                    Ok(url) => context.resource_schema_url = url,
                    Err(reason) => refused = refused.and(Err(reason)),
                },
                _ => {}
            }
        }
        let refused = refused.map_err(|reason| format!("its resource: {reason}"));
        for field in Fields::new(slice) {
            if let (2, data) = field? {
                self.scope(data.slice(), context, refused.clone())?;
            }
        }
        Ok(())
    }

    /// `ScopeSpans` and the like: 1 scope, 2 items, 3 schema URL.
    fn scope(
        &mut self,
        slice: Slice<'a>,
        mut context: Context<'a>,
        mut refused: Result<(), Reason>,
    ) -> Result<(), Malformed> {
        let of_scope = |reason| format!("its scope: {reason}");
        for field in Fields::new(slice) {
            match field? {
                (1, data) => {
                    context.scope = data.slice().bytes;
                    refused =
                        refused.and_then(|()| validate::message(data.slice(), &[1, 2], 3).map_err(of_scope));
                }
                (3, data) => match validate::text(data.slice(), "its schema URL") {
                    Ok(url) => context.scope_schema_url = url,
                    Err(reason) => refused = refused.and(Err(of_scope(reason))),
                },
                _ => {}
            }
        }
        for field in Fields::new(slice) {
            if let (2, data) = field? {
                self.items += 1;
                let item = Item { number: self.items, slice: data.slice() };
                match &refused {
                    Ok(()) => self.pend(item, context),
                    Err(reason) => {
                        let refusal = Refusal { reason: reason.clone(), rows: R::rows(item.slice) };
                        self.refusals.add(item, &refusal);
                    }
                }
            }
        }
        Ok(())
    }

    fn pend(&mut self, item: Item<'a>, context: Context<'a>) {
        self.pending.push((R::order(item.slice), item, context));
        if self.pending.len() == CHUNK_ROWS {
            self.flush();
        }
    }

    /// Reads the pending items, each where it belongs, else as they came.
    fn flush(&mut self) {
        let mut pending = std::mem::take(&mut self.pending);
        pending.sort_by_key(|(order, _, _)| *order);
        self.chunks.expect(pending.len());
        for (_, item, context) in pending.drain(..) {
            self.item(item, &context);
        }
        self.pending = pending;
    }

    fn item(&mut self, item: Item<'a>, context: &Context<'a>) {
        let Self { chunks, row, refusals, .. } = self;
        R::read(item.slice, row, &mut |read| {
            let kept = read.and_then(|row| chunks.push(context, row).map_err(Refusal::from));
            if let Err(refusal) = kept {
                refusals.add(item, &refusal);
            }
        });
    }
}

/// The resource's `service.name` when it is text.
fn service_name(resource: Slice<'_>) -> Option<&str> {
    Fields::new(resource).flatten().filter(|(number, _)| *number == 1).find_map(|(_, entry)| {
        let attribute = validate::key_value(entry.slice(), 1).ok()?;
        match attribute.scalar {
            Some(Scalar::Text(name)) if attribute.key == "service.name" => Some(name),
            _ => None,
        }
    })
}
