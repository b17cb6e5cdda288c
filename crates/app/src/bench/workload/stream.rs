//! An endless row of traces, cut into requests as a collector cuts them: many traces under way, each span sent when it
//! has ended, those of one process together.

use super::Workload;
use super::cast::Cast;
use super::conversation::Conversations;
use super::trace::{Made, grow};
use crate::demo::Random;
use bytes::Bytes;
use model::{Span, Timestamp, otlp};
use std::vec::IntoIter;

/// So many traces are under way at the same time.
const UNDER_WAY: usize = 32;
const SMALLEST: u64 = 8;
const LARGEST: u64 = 60;
/// Nanoseconds by which traces that begin to be sent together have ended apart, at most.
const APART: u64 = 1_000_000_000;

/// A part of the load; parts of one load have different numbers.
#[derive(Debug)]
pub struct Stream {
    cast: Cast,
    random: Random,
    ids: Random,
    conversations: Conversations,
    under_way: Vec<IntoIter<Made>>,
    /// Spans of traces that have not begun.
    left: u64,
}

/// An export request, ready to be sent.
#[derive(Debug, Clone)]
pub struct Request {
    pub wire: Bytes,
    pub spans: u64,
}

impl Stream {
    /// Exactly so many spans, in whole traces.
    pub fn new(workload: Workload, part: u64, spans: u64) -> Self {
        let mut random = of(workload.seed, part);
        let mut ids = of(workload.run, part);
        let conversations = Conversations::new(workload.content, &mut random, &mut ids);
        Self { cast: Cast::new(), random, ids, conversations, under_way: Vec::new(), left: spans }
    }

    /// The next request of so many spans; the last one may have fewer. Traces that begin have ended by `now`.
    pub fn request(&mut self, spans: usize, now: Timestamp) -> Option<Request> {
        let spans = self.spans(spans, now);
        let wire = Bytes::from(otlp::encode_spans(&spans));
        (!spans.is_empty()).then(|| Request { wire, spans: spans.len() as u64 })
    }

    /// The next spans, in the order of the processes that send them.
    pub fn spans(&mut self, most: usize, now: Timestamp) -> Vec<Span> {
        let mut made: Vec<Made> = Vec::with_capacity(most);
        while made.len() < most {
            self.begin_traces(now);
            if self.under_way.is_empty() {
                break;
            }
            let place = self.below(self.under_way.len());
            let few = (1 + self.below(8)).min(most - made.len());
            let trace = &mut self.under_way[place];
            made.extend(trace.take(few));
            if trace.len() == 0 {
                self.under_way.swap_remove(place);
            }
        }
        made.sort_by_key(|made| made.process);
        made.into_iter().map(|made| made.span).collect()
    }

    fn begin_traces(&mut self, now: Timestamp) {
        while self.under_way.len() < UNDER_WAY && self.left > 0 {
            // What is left for the last trace is never too little to be one.
            let size = match self.left {
                left @ 0..=LARGEST => left,
                left => self.random.between(SMALLEST, LARGEST + 1).min(left - SMALLEST),
            };
            self.left -= size;
            let conversation = self.conversations.pick(&mut self.random, &mut self.ids);
            let end = Timestamp(now.0.saturating_sub(self.random.between(0, APART)));
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let spans = grow(&self.cast, conversation, (&mut self.random, &mut self.ids), size, end);
            self.under_way.push(spans.into_iter());
        }
    }

    fn below(&mut self, count: usize) -> usize {
        usize::try_from(self.random.between(0, count.max(1) as u64)).unwrap_or(0)
    }
}

/// Sequences of neighbouring numbers must not be alike.
const fn of(seed: u64, part: u64) -> Random {
    Random::new(Random::new(seed).next() ^ Random::new(part.wrapping_add(0x00c1_e0c1_e0c1_e0c1)).next())
}
