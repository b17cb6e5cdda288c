//! Items that are not kept: how many, which, why, and whether they are another signal's.

use super::validate::Reason;
use super::wire::{Data, Fields, Slice};
use crate::Signal;
use crate::batch::Rejected;

/// How many reasons for refusing items are told.
const MAX_REASONS: usize = 5;
/// How much of a name a reason shows.
const MAX_NAME: usize = 60;

/// Why rows are not kept.
pub struct Refusal {
    pub reason: Reason,
    /// How many rows the item would have given.
    pub rows: u64,
}

impl From<Reason> for Refusal {
    fn from(reason: Reason) -> Self {
        Self { reason, rows: 1 }
    }
}

/// An item of a request, for reasons to name.
#[derive(Clone, Copy)]
pub struct Item<'a> {
    /// Its place among the items of the request, from one.
    pub number: u64,
    pub slice: Slice<'a>,
}

/// What was refused so far.
pub struct Refusals {
    signal: Signal,
    rejected: Rejected,
    /// What all refused items look like, while they agree.
    guess: Guess,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Guess {
    Open,
    Agreed(Signal),
    Unclear,
}

impl Refusals {
    pub fn new(signal: Signal) -> Self {
        Self { signal, rejected: Rejected::default(), guess: Guess::Open }
    }

    pub fn add(&mut self, item: Item<'_>, refusal: &Refusal) {
        self.rejected.count += refusal.rows;
        if self.guess != Guess::Unclear {
            let found = looks_like(item.slice);
            self.guess = match (self.guess, found) {
                (Guess::Open, Some(signal)) if signal != self.signal => Guess::Agreed(signal),
                (Guess::Agreed(before), Some(signal)) if signal == before => self.guess,
                _ => Guess::Unclear,
            };
        }
        if self.rejected.reasons.len() < MAX_REASONS {
            self.rejected.reasons.push(format!("{}: {}", label(self.signal, item), refusal.reason));
        }
    }

    /// All that was refused; when it is all that there was, and another signal's, that comes first.
    pub fn finish(mut self, nothing_accepted: bool) -> Rejected {
        if let (true, Guess::Agreed(other)) = (nothing_accepted, self.guess) {
            self.rejected.reasons.insert(0, format!("this looks like {other}; send them to /v1/{other}"));
            self.rejected.reasons.truncate(MAX_REASONS);
        }
        self.rejected
    }
}

/// `span 3 "chat"`.
fn label(signal: Signal, item: Item<'_>) -> String {
    let (noun, name_field) = match signal {
        Signal::Traces => ("span", 5),
        Signal::Logs => ("log record", 12),
        Signal::Metrics => ("metric", 1),
    };
    let name = Fields::new(item.slice).flatten().find(|(number, _)| *number == name_field);
    let name = name.and_then(|(_, data)| std::str::from_utf8(data.slice().bytes).ok()).unwrap_or_default();
    if name.is_empty() {
        return format!("{noun} {}", item.number);
    }
    let shown: String = name.chars().take(MAX_NAME).collect();
    format!("{noun} {} {shown:?}", item.number)
}

/// The signal that a message is an item of, by the types of its fields: the three share field numbers.
fn looks_like(item: Slice<'_>) -> Option<Signal> {
    let (mut ids, mut name, mut points) = (0, false, false);
    for field in Fields::new(item) {
        match field.ok()? {
            // A log record's time, observed time, severity and attributes.
            (1 | 11, Data::Fixed64(_)) | (2, Data::Varint(_)) | (6, Data::Bytes(_)) => {
                return Some(Signal::Logs);
            }
            // A span's start, end and kind.
            (7 | 8, Data::Fixed64(_)) | (6, Data::Varint(_)) => return Some(Signal::Traces),
            (1, Data::Bytes(slice)) => {
                ids += usize::from(slice.bytes.len() == 16);
                name = !slice.bytes.is_empty() && std::str::from_utf8(slice.bytes).is_ok();
            }
            (2, Data::Bytes(slice)) => ids += usize::from(slice.bytes.len() == 8),
            (5 | 7 | 9 | 10 | 11, Data::Bytes(_)) => points = true,
            _ => {}
        }
    }
    if ids == 2 {
        return Some(Signal::Traces);
    }
    (name && points).then_some(Signal::Metrics)
}
