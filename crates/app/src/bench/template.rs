//! An export request that can be sent many times, with other ids and times each time: making it costs a copy, so that
//! the sender does not take the processor from the server that it measures.

use crate::bench::Workload;
use crate::demo::Random;
use model::{Attribute, Span, Timestamp, Value, otlp};
use std::ops::Range;

/// A request with the places of what changes.
#[derive(Debug)]
pub struct Template {
    wire: Vec<u8>,
    pub spans: u64,
    /// Ids; altered by a number of the request, in one way, so that parents stay parents.
    ids: Vec<Range<usize>>,
    /// Hex digits of values that are never the same twice, such as a request's id.
    digits: Vec<Range<usize>>,
    /// Times; moved on together.
    times: Vec<usize>,
    base: u64,
}

impl Template {
    /// Whole traces, as many as make up about so many spans.
    pub fn new(workload: &Workload, first_trace: u64, spans: u64) -> Self {
        let base = 1_700_000_000_000_000_000;
        let mut made: Vec<Span> = Vec::new();
        for number in first_trace.. {
            if made.len() as u64 >= spans {
                break;
            }
            made.extend(workload.trace(number, Timestamp(base)));
        }
        let wire = otlp::encode_spans(&made);
        let mut template = Self {
            spans: made.len() as u64,
            ids: Vec::new(),
            digits: Vec::new(),
            times: Vec::new(),
            base,
            wire,
        };
        let mut at = 0;
        for span in &made {
            template.note(span, &mut at);
        }
        template
    }

    /// Finds the changing parts of a span in the wire bytes, where they stand in the order of the fields.
    fn note(&mut self, span: &Span, at: &mut usize) {
        let ids = [
            Some(&span.trace_id.0[..]),
            Some(&span.span_id.0),
            span.parent_span_id.as_ref().map(|id| &id.0[..]),
        ];
        for id in ids.into_iter().flatten() {
            let found = self.find(id, at);
            self.ids.extend(found);
        }
        for time in [span.start, span.end] {
            let found = self.find(&time.0.to_le_bytes(), at);
            self.times.extend(found.map(|range| range.start));
        }
        for Attribute { key, value } in &span.attributes {
            let Value::String(text) = value else { continue };
            let digits = match key.as_str() {
                "request.id" | "session.id" => text.as_str(),
                "gen_ai.response.id" | "gen_ai.tool.call.id" | "gen_ai.conversation.id" => {
                    text.get(text.len() - 16..).unwrap_or_default()
                }
                _ => continue,
            };
            let found = self.find(digits.as_bytes(), at);
            self.digits.extend(found);
        }
    }

    fn find(&self, wanted: &[u8], at: &mut usize) -> Option<Range<usize>> {
        let rest = self.wire.get(*at..)?;
        let start = *at + rest.windows(wanted.len()).position(|window| window == wanted)?;
        *at = start + wanted.len();
        Some(start..*at)
    }

    /// The request with ids of its own, as if its traces began at `start`.
    pub fn request(&self, number: u64, start: Timestamp) -> Vec<u8> {
        let mut wire = self.wire.clone();
        let salt = Random::new(number).next();
        for range in &self.ids {
            xor(wire.get_mut(range.clone()).unwrap_or_default(), &salt.to_be_bytes());
        }
        // As many digits as bytes, each changed by half a byte of the salt.
        let digits = format!("{salt:016x}");
        for range in &self.digits {
            let place = wire.get_mut(range.clone()).unwrap_or_default();
            for (digit, change) in place.iter_mut().zip(digits.bytes().cycle()) {
                *digit = hex(value(*digit) ^ value(change));
            }
        }
        let shift = start.0.wrapping_sub(self.base);
        for at in &self.times {
            if let Some(place) = wire.get_mut(*at..).and_then(<[u8]>::first_chunk_mut::<8>) {
                *place = u64::from_le_bytes(*place).wrapping_add(shift).to_le_bytes();
            }
        }
        wire
    }
}

fn xor(bytes: &mut [u8], salt: &[u8]) {
    for (byte, change) in bytes.iter_mut().zip(salt.iter().cycle()) {
        *byte ^= change;
    }
}

const fn value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        _ => digit.wrapping_sub(b'a').wrapping_add(10) & 15,
    }
}

const fn hex(value: u8) -> u8 {
    if value < 10 { b'0' + value } else { b'a' + (value - 10) }
}

#[cfg(test)]
mod tests {
    use super::Template;
    use crate::bench::Workload;
    use model::batch::Encoding;
    use model::{Signal, Span, TenantId, Timestamp, otlp};
    use std::collections::{HashMap, HashSet};

    fn decode(wire: Vec<u8>) -> Vec<Span> {
        let batch =
            otlp::decode(TenantId::default(), Signal::Traces, Encoding::Protobuf, wire.into()).unwrap();
        assert_eq!(batch.rejected.count, 0);
        batch.columns.iter().flat_map(otlp::spans).collect()
    }

    #[test]
    fn each_request_has_traces_of_its_own_that_hold_together() {
        let template = Template::new(&Workload { seed: 1, content: 0.5 }, 0, 100);
        let start = Timestamp(1_800_000_000_000_000_000);
        let mut seen = HashSet::new();
        for number in 0..3 {
            let spans = decode(template.request(number, start));
            assert_eq!(spans.len() as u64, template.spans);
            let ids: HashMap<_, _> = spans.iter().map(|span| (span.span_id, span.trace_id)).collect();
            assert_eq!(ids.len(), spans.len());
            for span in &spans {
                assert!(seen.insert(span.span_id));
                assert!(span.start >= start && span.end >= span.start);
                assert!(span.parent_span_id.is_none_or(|parent| ids.get(&parent) == Some(&span.trace_id)));
            }
        }
    }
}
