//! Statements to databases, of `sqlx` or any other client, as spans: what was done to which table, how many rows, why it
//! failed.
//!
//! ```
//! # use std::io::Error;
//! # async fn rows() -> Result<Vec<u8>, Error> { Ok(vec![1]) }
//! # async fn find() -> Result<(), Error> {
//! let text = "SELECT name FROM users WHERE city = 'Paris'";
//! let users = clew_sdk::database::statement("sqlite", "main", text).find(rows()).await?;   // sqlx: query(text).fetch_all(&pool)
//! # Ok(())
//! # }
//! ```

mod text;

use crate::span::Start;
use opentelemetry::trace::SpanKind;
use std::error::Error;

/// A statement to a database: `SELECT users`. Its text is recorded without the values in it.
pub fn statement<'a>(system: &'static str, namespace: &str, text: &'a str) -> Statement<'a> {
    let mut start = Start::new(system).kind(SpanKind::Client).set("db.system.name", system);
    if !namespace.is_empty() {
        start = start.set("db.namespace", namespace.to_owned());
    }
    Statement { start, text, double_quotes_hold_texts: matches!(system, "mysql" | "mariadb") }
}

/// A statement that is about to run.
#[derive(Debug, Clone)]
#[must_use = "a statement is recorded when it runs"]
pub struct Statement<'a> {
    start: Start,
    text: &'a str,
    double_quotes_hold_texts: bool,
}

impl Statement<'_> {
    /// Any other attribute, scope, parent or link.
    pub fn with(self, more: impl FnOnce(Start) -> Start) -> Self {
        Self { start: more(self.start), ..self }
    }

    /// Runs what finds rows, and tells how many: `fetch_all`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find<T, E: Error>(self, work: impl Future<Output = Result<Vec<T>, E>>) -> Result<Vec<T>, E> {
        self.run(work, "db.response.returned_rows", |rows| u64::try_from(rows.len()).ok()).await
    }

    /// Runs what finds a row or none: `fetch_optional`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn find_one<T, E: Error>(
        self,
        work: impl Future<Output = Result<Option<T>, E>>,
    ) -> Result<Option<T>, E> {
        self.run(work, "db.response.returned_rows", |row| Some(u64::from(row.is_some()))).await
    }

    /// Runs what changes rows, and tells how many by a function of its result: `execute`, and `rows_affected`.
    ///
    /// # Errors
    /// What the database says.
    pub async fn change<T, E: Error>(
        self,
        work: impl Future<Output = Result<T, E>>,
        rows: impl FnOnce(&T) -> u64,
    ) -> Result<T, E> {
        self.run(work, "db.rows_affected", |done| Some(rows(done))).await
    }

    async fn run<T, E: Error>(
        self,
        work: impl Future<Output = Result<T, E>>,
        key: &'static str,
        rows: impl FnOnce(&T) -> Option<u64>,
    ) -> Result<T, E> {
        let span = self.told().0.start();
        let done = span.within(work).await;
        match &done {
            Ok(done) => {
                if let Some(rows) = rows(done) {
                    span.set(key, i64::try_from(rows).unwrap_or(i64::MAX));
                }
            }
            Err(error) => span.fail_with(error),
        }
        span.end();
        done
    }

    /// The span, with what the text tells, if anybody will see it; and what the statement does.
    pub(crate) fn told(self) -> (Start, Option<String>) {
        if self.start.is_unseen() {
            return (self.start, None);
        }
        let read = text::read(self.text, self.double_quotes_hold_texts);
        let summary = [read.operation.as_deref(), read.collection.as_deref()];
        let summary = summary.into_iter().flatten().collect::<Vec<_>>().join(" ");
        let mut start = self.start.set("db.query.text", read.text);
        if !summary.is_empty() {
            start = start.named(summary.clone()).set("db.query.summary", summary);
        }
        let operation = read.operation.clone();
        for (key, value) in [("db.operation.name", read.operation), ("db.collection.name", read.collection)] {
            if let Some(value) = value {
                start = start.set(key, value);
            }
        }
        (start, operation)
    }
}
