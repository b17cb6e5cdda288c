//! Memory for requests: one pool for all that are being worked on, taken from as bytes arrive, never ahead of them.

use super::{Reason, Refusal, too_large};
use bytes::Bytes;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The pool counts in KiB, since a semaphore's permits are few on 32-bit machines.
const UNIT: usize = 1_024;

/// What a request holds of the pool; given back when dropped.
pub struct Room {
    pool: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Nothing held yet.
    pub fn of(pool: &Arc<Semaphore>) -> Self {
        Self { pool: Arc::clone(pool), held: None, bytes: 0 }
    }

    /// Takes more of the pool. It never waits for others: two that wait for each other's room would wait for ever.
    ///
    /// # Errors
    /// When too much is being worked on.
    fn take(&mut self, bytes: usize) -> Result<(), Refusal> {
        let bytes = self.bytes.saturating_add(bytes);
        let held = self.held.as_ref().map_or(0, OwnedSemaphorePermit::num_permits);
        let wanted = u32::try_from(bytes.div_ceil(UNIT).saturating_sub(held)).unwrap_or(u32::MAX);
        let more = Arc::clone(&self.pool).try_acquire_many_owned(wanted).map_err(|_| crowded())?;
        match &mut self.held {
            Some(held) => held.merge(more),
            None => self.held = Some(more),
        }
        self.bytes = bytes;
        Ok(())
    }
}

/// The pool for this many bytes.
pub fn pool(bytes: usize) -> Arc<Semaphore> {
    Arc::new(Semaphore::new(bytes.div_ceil(UNIT).min(Semaphore::MAX_PERMITS)))
}

fn crowded() -> Refusal {
    let message = "too many bytes are being worked on at once; send smaller batches or fewer at a time";
    Refusal::later(Reason::Busy, message, Duration::from_secs(1))
}

/// Bytes that grow within a limit and within their room.
pub struct Buffer<'a> {
    room: &'a mut Room,
    bytes: Vec<u8>,
    limit: usize,
    expected: usize,
}

impl<'a> Buffer<'a> {
    /// `expected` saves growing past a length that was announced; it reserves nothing, since announcing is cheap.
    pub fn new(room: &'a mut Room, limit: usize, expected: usize) -> Self {
        Self { room, bytes: Vec::new(), limit, expected: expected.min(limit) }
    }

    /// # Errors
    /// When this is more than the limit, or more than there is room for.
    pub fn extend(&mut self, more: &[u8]) -> Result<(), Refusal> {
        let needed = self.bytes.len().saturating_add(more.len());
        if needed > self.limit {
            return Err(too_large(self.limit));
        }
        let capacity = self.bytes.capacity();
        if needed > capacity {
            let ceiling = if needed <= self.expected { self.expected } else { self.limit };
            let target = needed.max(capacity.saturating_mul(2)).min(ceiling);
            self.room.take(target - capacity)?;
            self.bytes.reserve_exact(target - self.bytes.len());
        }
        self.bytes.extend_from_slice(more);
        Ok(())
    }

    pub fn finish(self) -> Bytes {
        self.bytes.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Room, pool};
    use crate::intake::Reason;

    #[test]
    fn room_is_taken_as_bytes_come_and_given_back() {
        let pool = pool(100 << 10);
        let mut first = Room::of(&pool);
        let mut buffer = Buffer::new(&mut first, 1 << 20, 1 << 20);
        assert_eq!(pool.available_permits(), 100, "announcing takes nothing");
        buffer.extend(&[0; 60 << 10]).unwrap();
        assert_eq!(pool.available_permits(), 40);
        let mut second = Room::of(&pool);
        let crowded = Buffer::new(&mut second, 1 << 20, 0).extend(&[0; 60 << 10]).unwrap_err();
        assert_eq!(crowded.reason, Reason::Busy);
        assert!(crowded.retry_after.is_some());
        drop(first);
        assert_eq!(pool.available_permits(), 100);
        Buffer::new(&mut second, 1 << 20, 0).extend(&[0; 60 << 10]).unwrap();
    }

    #[test]
    fn a_buffer_ends_at_its_limit() {
        let pool = pool(1 << 20);
        let mut room = Room::of(&pool);
        let mut buffer = Buffer::new(&mut room, 10, 0);
        buffer.extend(b"0123456789").unwrap();
        assert_eq!(buffer.extend(b"a").unwrap_err().reason, Reason::TooLarge);
        assert_eq!(buffer.finish(), "0123456789");
    }
}
