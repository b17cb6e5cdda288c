//! One admission for all questions: a turn within a bound of waiting, a deadline, and a budget of bytes. So many small
//! questions are answered at a time, and of those that need much memory only one, so that together they stay within
//! what the process may have.

use crate::scan::Source;
use crate::trace::internal;
use model::Signal;
use query::{Deadline, Error};
use std::collections::HashSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use storage::Block;
use tokio::sync::{OnceCell, OwnedSemaphorePermit, Semaphore};

/// Questions that are answered at the same time; others wait their turn.
const CONCURRENT: usize = 8;
/// How long a question waits for its turn at most.
const WAIT: Duration = Duration::from_secs(5);
/// How long one that needs much memory waits for others such.
const HEAVY_WAIT: Duration = Duration::from_secs(20);
/// Exports that are under way at the same time; each keeps what it reads from being deleted.
const EXPORTS: usize = 2;

/// What the engine may use.
#[derive(Debug, Clone, Copy)]
pub struct EngineOptions {
    /// Memory for all questions together.
    pub memory_bytes: u64,
}

impl Default for EngineOptions {
    fn default() -> Self {
        Self { memory_bytes: 512 << 20 }
    }
}

/// How many bytes a question may have. All that are answered at a time fit into the memory together.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    /// More than this makes a question a heavy one.
    light: u64,
    most: u64,
}

impl Bounds {
    const fn of(options: EngineOptions) -> Self {
        Self { light: options.memory_bytes / 32, most: options.memory_bytes / 4 * 3 }
    }
}

/// Lets questions in.
pub struct Admission {
    bounds: Bounds,
    turns: Arc<Semaphore>,
    heavy: Arc<Semaphore>,
    exports: Arc<Semaphore>,
}

impl Admission {
    pub fn new(options: EngineOptions) -> Self {
        Self {
            bounds: Bounds::of(options),
            turns: Arc::new(Semaphore::new(CONCURRENT)),
            heavy: Arc::new(Semaphore::new(1)),
            exports: Arc::new(Semaphore::new(EXPORTS)),
        }
    }

    /// Waits for a turn.
    pub async fn question(&self, deadline: Deadline) -> Result<Arc<Question>, Error> {
        let turn = tokio::time::timeout(WAIT.min(deadline.0), Arc::clone(&self.turns).acquire_owned()).await;
        let busy = |_| Error::Busy {
            message: format!("{CONCURRENT} questions are being answered already; ask again later"),
        };
        let turn = turn.map_err(busy)?.map_err(internal)?;
        let patience = HEAVY_WAIT.min(deadline.0);
        Ok(Arc::new(Question::new(self.bounds, (Arc::clone(&self.heavy), patience), turn)))
    }

    /// Exports are not waited for: they take as long as their reader wants. They have turns and memory of their own.
    pub fn export(&self) -> Result<Arc<Question>, Error> {
        let turn = Arc::clone(&self.exports).try_acquire_owned();
        let turn = turn.map_err(|_| Error::Busy {
            message: format!("{EXPORTS} exports are under way already; wait for one to end"),
        })?;
        let bounds = Bounds { light: self.bounds.most, ..self.bounds };
        Ok(Arc::new(Question::new(bounds, (Arc::clone(&self.heavy), HEAVY_WAIT), turn)))
    }
}

/// A question that is being answered: what it holds, and what it could not read.
pub struct Question {
    bounds: Bounds,
    heavy: Arc<Semaphore>,
    /// How long it waits for other heavy ones.
    patience: Duration,
    /// Bytes.
    held: AtomicU64,
    /// Taken once, whichever of its parts needs it first.
    heavy_turn: OnceCell<OwnedSemaphorePermit>,
    reads: Mutex<Reads>,
    /// What its parts may hold that are read at the same time, in MiB.
    room: Arc<Semaphore>,
    _turn: OwnedSemaphorePermit,
}

fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes >> 20).unwrap_or(u32::MAX >> 4).max(1)
}

/// The blocks that were looked at.
#[derive(Default)]
struct Reads {
    /// By signal: a trace has spans and log records.
    searched: [usize; 3],
    unread: HashSet<usize>,
}

fn unpoisoned<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Question {
    fn new(
        bounds: Bounds,
        (heavy, patience): (Arc<Semaphore>, Duration),
        turn: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            bounds,
            heavy,
            patience,
            held: AtomicU64::new(0),
            heavy_turn: OnceCell::new(),
            reads: Mutex::default(),
            room: Arc::new(Semaphore::new(mebibytes(bounds.most) as usize)),
            _turn: turn,
        }
    }

    /// Counts bytes that are held from now on. [`Self::fits`] or [`Self::admit`] is asked soon after.
    pub fn note(&self, bytes: u64) {
        self.held.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn give_back(&self, bytes: u64) {
        let less = |held: u64| Some(held.saturating_sub(bytes));
        let _ = self.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
    }

    /// Whether what is held is within what a question may have.
    pub fn fits(&self) -> bool {
        self.held.load(Ordering::Relaxed) <= self.bounds.most
    }

    /// What it may still hold.
    pub fn room(&self) -> u64 {
        self.bounds.most.saturating_sub(self.held.load(Ordering::Relaxed))
    }

    /// The most that an answer may hold.
    pub const fn answer_bytes(&self) -> u64 {
        self.bounds.most / 6
    }

    pub fn too_much(&self) -> Error {
        let most = self.bounds.most >> 20;
        Error::Busy {
            message: format!(
                "this question needs more memory than the {most} MiB that one may have; narrow the time range or the \
                 filter, or ask for less"
            ),
        }
    }

    /// Goes on with what is held; that may have to wait until another heavy question is answered.
    pub async fn admit(&self) -> Result<(), Error> {
        if !self.fits() {
            return Err(self.too_much());
        }
        self.expect(0).await
    }

    /// Before so many bytes more will be held, or fewer.
    pub async fn expect(&self, bytes: u64) -> Result<(), Error> {
        let expected = self.held.load(Ordering::Relaxed).saturating_add(bytes);
        if expected <= self.bounds.light || self.is_heavy() {
            return Ok(());
        }
        let waiting = async {
            tokio::time::timeout(self.patience, Arc::clone(&self.heavy).acquire_owned())
                .await
                .map_err(|_| Self::kept_waiting())?
                .map_err(internal)
        };
        self.heavy_turn.get_or_try_init(|| waiting).await.map(|_| ())
    }

    fn kept_waiting() -> Error {
        Error::Busy {
            message: "this question needs much memory, and another such is being answered; ask again later, or narrow the \
                      time range or the filter"
                .to_owned(),
        }
    }

    /// Waits until no other part of this question holds the room for so many bytes.
    pub async fn reserve(&self, bytes: u64) -> Result<OwnedSemaphorePermit, Error> {
        let wanted = mebibytes(bytes).min(mebibytes(self.bounds.most));
        Arc::clone(&self.room).acquire_many_owned(wanted).await.map_err(internal)
    }

    /// Whether it is one of the few that hold much: then its answer is to be held with it.
    pub fn is_heavy(&self) -> bool {
        self.heavy_turn.initialized()
    }

    /// Holds bytes for as long as the result lives.
    pub async fn charge(self: &Arc<Self>, bytes: u64) -> Result<Charge, Error> {
        self.note(bytes);
        let charge = Charge { question: Arc::clone(self), bytes };
        self.admit().await?;
        Ok(charge)
    }

    /// That so many blocks of a signal are looked at.
    pub fn searching(&self, signal: Signal, blocks: usize) {
        let place = Signal::ALL.iter().position(|known| *known == signal).unwrap_or_default();
        if let Some(searched) = unpoisoned(&self.reads).searched.get_mut(place) {
            *searched = blocks.max(*searched);
        }
    }

    /// A block that cannot be read costs what is in it, and nothing else: passes over its error, and no other.
    pub fn pass_over(&self, source: &Source, error: Error) -> Result<(), Error> {
        match (source, error) {
            (Source::Block(block, _), Error::Unreadable { message }) => {
                block.mark_damaged(&message);
                self.note_unread(block);
                Ok(())
            }
            (_, error) => Err(error),
        }
    }

    /// That a block cannot be read.
    pub fn note_unread(&self, block: &Arc<Block>) {
        unpoisoned(&self.reads).unread.insert(Arc::as_ptr(block).addr());
    }

    /// How many blocks could not be read.
    pub fn unread(&self) -> usize {
        unpoisoned(&self.reads).unread.len()
    }

    /// Why something may be missing, when blocks could not be read.
    pub fn incomplete(&self) -> Option<String> {
        let reads = unpoisoned(&self.reads);
        let unread = reads.unread.len();
        let searched = reads.searched.iter().sum::<usize>().max(unread);
        let (is, it) = if unread == 1 { ("is", "it") } else { ("are", "them") };
        (unread > 0).then(|| {
            format!(
                "{unread} of {searched} blocks searched {is} damaged or missing; `clew doctor` names {it}, `clew repair` \
                 mends what can be mended"
            )
        })
    }

    /// Nothing was found; an error when that may be for want of a block.
    pub fn nothing(&self, what: &str) -> Result<(), Error> {
        match self.incomplete() {
            None => Ok(()),
            Some(why) => Err(Error::Unreadable {
                message: format!("it cannot be told whether {what} is stored: {why}"),
            }),
        }
    }

    /// Computes on a thread that may take its time; the question is under way until that is done, whether anybody waits
    /// or not.
    pub async fn compute<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let question = Arc::clone(self);
        let work = move || {
            let done = work();
            drop(question);
            done
        };
        tokio::task::spawn_blocking(work).await.map_err(internal)
    }
}

/// Bytes that a question holds.
pub struct Charge {
    question: Arc<Question>,
    bytes: u64,
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.question.give_back(self.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, EngineOptions};
    use query::Deadline;
    use std::time::Duration;

    const SOON: Deadline = Deadline(Duration::from_millis(20));

    #[tokio::test]
    async fn heavy_questions_are_answered_one_after_the_other() {
        let admission = Admission::new(EngineOptions { memory_bytes: 32 << 20 });
        let question = async || admission.question(SOON).await.unwrap();
        let (first, second, light) = (question().await, question().await, question().await);
        first.note(2 << 20);
        second.note(2 << 20);
        light.note(1 << 19);
        first.admit().await.unwrap();
        light.admit().await.unwrap();
        assert_eq!((first.is_heavy(), light.is_heavy()), (true, false));
        // Its parts do not wait for each other.
        let (one, other) = futures::join!(first.expect(1 << 20), first.expect(1 << 20));
        assert!(one.is_ok() && other.is_ok());
        let refused = second.admit().await.unwrap_err();
        assert_eq!(refused.kind(), model::Kind::Busy);
        drop(first);
        second.admit().await.unwrap();
        let charge = second.charge(21 << 20).await.unwrap();
        assert!(second.charge(2 << 20).await.is_err());
        drop(charge);
        second.charge(2 << 20).await.unwrap();
    }

    #[tokio::test]
    async fn turns_are_waited_for_within_a_bound() {
        let admission = Admission::new(EngineOptions::default());
        let mut held = Vec::new();
        for _ in 0..super::CONCURRENT {
            held.push(admission.question(SOON).await.unwrap());
        }
        assert!(admission.question(SOON).await.is_err());
        held.pop();
        assert!(admission.question(SOON).await.is_ok());
        let exports = (admission.export().unwrap(), admission.export().unwrap());
        assert!(admission.export().is_err());
        drop(exports);
        assert!(admission.export().is_ok());
    }
}
