//! SQLite: how a file is opened, and statements as spans.

use crate::error::Error;
use crate::telemetry;
use clew_sdk::Start;
use clew_sdk::opentelemetry::trace::SpanKind;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteQueryResult, SqliteRow,
};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a writer waits for another one.
const PATIENCE: Duration = Duration::from_secs(10);

/// A file of a folder, created with its tables when it is not there.
pub async fn open(folder: &Path, file: &str, tables: &[&'static str]) -> Result<SqlitePool, Error> {
    std::fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
    let options = SqliteConnectOptions::new()
        .filename(folder.join(file))
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .busy_timeout(PATIENCE);
    let pool = SqlitePoolOptions::new().max_connections(4).connect_with(options).await?;
    for table in tables {
        sqlx::query(*table).execute(&pool).await?;
    }
    Ok(pool)
}

/// What a statement does to which table; its span has old names and current ones.
#[derive(Debug, Clone, Copy)]
pub struct Statement {
    pub database: &'static str,
    pub operation: &'static str,
    pub table: &'static str,
}

impl Statement {
    fn start(self) -> Start {
        let start = telemetry::span(format!("{} {}", self.operation, self.table));
        let start = start.kind(SpanKind::Client).scope("aob.database");
        let start = start.set("db.system", "sqlite").set("db.system.name", "sqlite");
        let start = start.set("db.name", self.database).set("db.namespace", self.database);
        let start = start.set("db.operation", self.operation).set("db.operation.name", self.operation);
        start.set("db.table", self.table).set("db.collection.name", self.table)
    }

    /// Something that changes rows; tells how many.
    pub async fn change(
        self,
        work: impl Future<Output = Result<SqliteQueryResult, sqlx::Error>>,
    ) -> Result<u64, sqlx::Error> {
        self.traced(async { work.await.map(|result| result.rows_affected()) }, |rows| *rows).await
    }

    /// Something that finds rows.
    pub async fn find(
        self,
        work: impl Future<Output = Result<Vec<SqliteRow>, sqlx::Error>>,
    ) -> Result<Vec<SqliteRow>, sqlx::Error> {
        self.traced(work, |rows| rows.len() as u64).await
    }

    async fn traced<T>(
        self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
        rows: impl Fn(&T) -> u64,
    ) -> Result<T, sqlx::Error> {
        let (span, began) = (self.start().start(), Instant::now());
        span.clone()
            .run(async {
                let done = work.await;
                span.set("db.duration_ms", milliseconds(began));
                match &done {
                    Ok(found) => {
                        span.set("db.rows_affected", i64::try_from(rows(found)).unwrap_or(i64::MAX));
                    }
                    Err(error) => span.fail("database", error.to_string()),
                }
                done
            })
            .await
    }
}

/// Whole milliseconds since a moment.
pub fn milliseconds(since: Instant) -> i64 {
    i64::try_from(since.elapsed().as_millis()).unwrap_or(i64::MAX)
}
