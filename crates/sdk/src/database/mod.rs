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
pub fn statement(system: &'static str, namespace: &str, text: &str) -> Statement {
    let read = text::read(text, matches!(system, "mysql" | "mariadb"));
    let summary = [read.operation.as_deref(), read.collection.as_deref()];
    let summary = summary.into_iter().flatten().collect::<Vec<_>>().join(" ");
    let name = if summary.is_empty() { system.to_owned() } else { summary.clone() };
    let mut start = Start::new(name).kind(SpanKind::Client).set("db.system.name", system);
    start = start.set("db.query.text", read.text);
    let told = [
        ("db.namespace", Some(namespace.to_owned())),
        ("db.query.summary", Some(summary)),
        ("db.operation.name", read.operation),
        ("db.collection.name", read.collection),
    ];
    for (key, value) in told {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            start = start.set(key, value);
        }
    }
    Statement(start)
}

/// A statement that is about to run.
#[derive(Debug, Clone)]
#[must_use = "a statement is recorded when it runs"]
pub struct Statement(Start);

impl Statement {
    /// Any other attribute, scope, parent or link.
    pub fn with(self, more: impl FnOnce(Start) -> Start) -> Self {
        Self(more(self.0))
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
        let span = self.0.start();
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
}
