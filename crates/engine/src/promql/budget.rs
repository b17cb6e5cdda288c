//! How much memory and time a query may need.

use query::{Deadline, Error};

/// The most samples that a query may hold at a time, of results and of what they are computed from.
const MAXIMUM_SAMPLES: usize = 50_000_000;

/// What a query has used of its memory, and whom to ask whether it may go on.
pub(super) struct Budget<'a> {
    samples: usize,
    most: usize,
    interrupted: &'a dyn Fn() -> bool,
    deadline: Deadline,
}

impl<'a> Budget<'a> {
    pub(super) fn new(interrupted: &'a dyn Fn() -> bool, deadline: Deadline, room: usize) -> Self {
        Self { samples: 0, most: MAXIMUM_SAMPLES.min(room), interrupted, deadline }
    }

    /// Before so many samples are held.
    pub(super) fn hold(&mut self, samples: usize) -> Result<(), Error> {
        self.room_for(samples)?;
        self.samples = self.samples.saturating_add(samples);
        self.go_on()
    }

    /// Whether so many samples could be held.
    pub(super) fn room_for(&self, samples: usize) -> Result<(), Error> {
        if self.samples.saturating_add(samples) > self.most {
            return Err(Error::Execution {
                message: "query processing would load too many samples into memory in query execution; \
                          ask for fewer series or steps"
                    .to_owned(),
            });
        }
        Ok(())
    }

    /// What is held now, to return to later.
    pub(super) const fn held(&self) -> usize {
        self.samples
    }

    /// All but so many samples are let go.
    pub(super) const fn let_go(&mut self, held: usize) {
        self.samples = held;
    }

    /// Whether the time has not run out.
    pub(super) fn go_on(&self) -> Result<(), Error> {
        if (self.interrupted)() {
            return Err(Error::DeadlineExceeded { seconds: self.deadline.0.as_secs() });
        }
        Ok(())
    }
}
