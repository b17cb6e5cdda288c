//! Rows of buckets.

use super::{Buckets, Number};

impl<N: Number> Buckets<N> {
    /// With their indices.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (i32, N)> {
        let offset = self.offset;
        self.counts.iter().enumerate().map(move |(place, count)| (index_at(offset, place), *count))
    }

    /// The index after the last one.
    fn end(&self) -> i32 {
        index_at(self.offset, self.counts.len())
    }

    /// Whether no bucket has anything in it.
    pub(super) fn is_empty(&self) -> bool {
        self.counts.iter().all(|count| count.is_empty())
    }

    /// The buckets with these indices can be written then.
    fn cover(&mut self, from: i32, to: i32) {
        if from >= to {
            return;
        }
        if self.counts.is_empty() {
            self.offset = from;
        }
        if from < self.offset {
            let missing = distance(from, self.offset);
            self.counts.splice(0..0, std::iter::repeat_n(N::default(), missing));
            self.offset = from;
        }
        let length = distance(self.offset, to);
        if length > self.counts.len() {
            self.counts.resize(length, N::default());
        }
    }

    /// Adds the buckets of `other`, which have the same bounds, each after a change.
    pub(super) fn add(&mut self, other: &Buckets, change: impl Fn(f64) -> f64) {
        self.cover(other.offset, other.end());
        let skip = distance(self.offset, other.offset);
        for (sum, count) in self.counts.iter_mut().skip(skip).zip(&other.counts) {
            *sum = sum.plus(change(*count));
        }
    }

    /// Two buckets become one, `levels` times.
    pub(super) fn reduced(&self, levels: u32) -> Self {
        let mut reduced = Self::default();
        for (index, count) in self.iter() {
            reduced.join((index.saturating_sub(1) >> levels) + 1, count);
        }
        reduced
    }

    /// Adds to one bucket.
    pub(super) fn join(&mut self, index: i32, count: N) {
        self.cover(index, index.saturating_add(1));
        if let Some(sum) = self.counts.get_mut(distance(self.offset, index)) {
            *sum = if sum.is_empty() { count } else { sum.join(count) };
        }
    }

    /// Empties all buckets before this index.
    pub(super) fn remove_before(&mut self, index: i32) {
        let gone = distance(self.offset, index).min(self.counts.len());
        self.counts.drain(..gone);
        self.offset = index_at(self.offset, gone);
    }

    pub(super) fn compact(&mut self) {
        let last = self.counts.iter().rposition(|count| !count.is_empty());
        self.counts.truncate(last.map_or(0, |last| last + 1));
        let first = self.counts.iter().position(|count| !count.is_empty()).unwrap_or_default();
        self.counts.drain(..first);
        self.offset = if self.counts.is_empty() { 0 } else { index_at(self.offset, first) };
    }

    pub(super) fn map<M: Number>(&self, change: impl Fn(N) -> M) -> Buckets<M> {
        Buckets { offset: self.offset, counts: self.counts.iter().copied().map(change).collect() }
    }
}

impl Buckets {
    /// Whether the same buckets have the same in them, bit for bit.
    pub(super) fn same_as(&self, other: &Self) -> bool {
        let (mut one, mut two) = (self.populated(), other.populated());
        loop {
            match (one.next(), two.next()) {
                (None, None) => return true,
                (Some((index, count)), Some((other_index, other_count)))
                    if index == other_index && count.to_bits() == other_count.to_bits() => {}
                _ => return false,
            }
        }
    }

    /// Of a bucket that there is.
    pub(super) fn set(&mut self, index: i32, count: f64) {
        if let Some(place) = self.counts.get_mut(distance(self.offset, index)) {
            *place = count;
        }
    }

    fn populated(&self) -> impl Iterator<Item = (i32, f64)> {
        self.iter().filter(|(_, count)| !count.is_empty())
    }
}

fn index_at(offset: i32, place: usize) -> i32 {
    offset.saturating_add(i32::try_from(place).unwrap_or(i32::MAX))
}

/// Zero when `to` is before `from`.
pub(super) fn distance(from: i32, to: i32) -> usize {
    usize::try_from(i64::from(to) - i64::from(from)).unwrap_or_default()
}
