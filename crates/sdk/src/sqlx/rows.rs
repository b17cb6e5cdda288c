//! The rows of a statement as they come, and its span, which ends with them.

use super::driver::{Driver, Server};
use super::{StepOf, fail};
use crate::span::Span;
use ::sqlx::{Either, Error};
use futures_core::stream::{BoxStream, Stream};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

/// What changes rows, and so does not tell of those that it found.
const CHANGES: [&str; 6] = ["INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE", "COPY"];

/// What finds rows, even if there are none.
const FINDS: [&str; 7] = ["SELECT", "WITH", "VALUES", "TABLE", "SHOW", "PRAGMA", "EXPLAIN"];

/// A statement under way. Its span ends when this is dropped, and tells what was counted.
#[derive(Debug)]
pub(super) struct Counted {
    span: Span,
    operation: Option<String>,
    returned: i64,
    affected: i64,
    failed: bool,
}

impl Counted {
    pub(super) fn start(server: &Server, text: &str) -> Self {
        let (start, operation) = server.statement(text).told();
        Self { span: start.start(), operation, returned: 0, affected: 0, failed: false }
    }

    pub(super) fn span(&self) -> Span {
        self.span.clone()
    }

    /// A row came.
    pub(super) fn returned(&mut self) {
        self.returned += 1;
    }

    /// Rows were changed.
    fn affected(&mut self, rows: u64) {
        self.affected = self.affected.saturating_add(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    pub(super) fn failed(&mut self, error: &Error) {
        self.failed = true;
        fail(&self.span, error);
    }

    fn does(&self, operations: &[&str]) -> bool {
        self.operation.as_deref().is_some_and(|operation| operations.contains(&operation))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if self.returned > 0 || (self.does(&FINDS) && !self.failed) {
            self.span.set("db.response.returned_rows", self.returned);
        }
        if self.does(&CHANGES) && !self.failed {
            self.span.set("db.rows_affected", self.affected);
        }
        self.span.end();
    }
}

/// What a statement gives, as it comes.
pub(super) struct Rows<'e, DB: Driver> {
    steps: BoxStream<'e, Result<StepOf<DB>, Error>>,
    counted: Option<Counted>,
}

impl<'e, DB: Driver> Rows<'e, DB> {
    pub(super) fn new(steps: BoxStream<'e, Result<StepOf<DB>, Error>>, counted: Counted) -> Self {
        Self { steps, counted: Some(counted) }
    }
}

impl<DB: Driver> Stream for Rows<'_, DB> {
    type Item = Result<StepOf<DB>, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let active = self.counted.as_ref().map(|counted| counted.span.enter());
        let step = ready!(self.steps.as_mut().poll_next(context));
        drop(active);
        match (&step, &mut self.counted) {
            (None, counted) => drop(counted.take()),
            (Some(Ok(Either::Left(done))), Some(counted)) => counted.affected(DB::rows_affected(done)),
            (Some(Ok(Either::Right(_))), Some(counted)) => counted.returned(),
            (Some(Err(error)), Some(counted)) => counted.failed(error),
            _ => {}
        }
        Poll::Ready(step)
    }
}
