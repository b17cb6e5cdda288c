//! Databases: how one is opened, and statements as spans. SQLite files, or a PostgreSQL server.

use crate::error::Error;
use clew_sdk::Start;
use clew_sdk::opentelemetry::trace::SpanKind;
use sqlx::AnyPool;
use sqlx::any::{AnyPoolOptions, AnyQueryResult, AnyRow};
use std::path::Path;
use std::time::{Duration, Instant};

const CONNECTIONS: u32 = 4;

/// Stands in a table's description for a number that counts up by itself: databases call it by different names.
pub const SERIAL: &str = "{serial}";

/// A database that is open.
#[derive(Debug, Clone)]
pub struct Database {
    pub pool: AnyPool,
    system: System,
    name: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Sqlite,
    Postgresql,
}

impl System {
    /// As `db.system` calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgresql => "postgresql",
        }
    }

    fn serial(self) -> &'static str {
        match self {
            Self::Sqlite => "INTEGER PRIMARY KEY AUTOINCREMENT",
            Self::Postgresql => "BIGSERIAL PRIMARY KEY",
        }
    }
}

impl Database {
    /// A file of a folder, created with its tables when it is not there.
    pub async fn file(folder: &Path, name: &str, tables: &[&'static str]) -> Result<Self, Error> {
        std::fs::create_dir_all(folder).map_err(|source| Error::file(folder, source))?;
        let path = std::path::absolute(folder.join(format!("{name}.sqlite")))?;
        let url = format!("sqlite://{}?mode=rwc", path.display());
        let database = Self::connect(&url, System::Sqlite, name.to_owned()).await?;
        // Readers and a writer do not wait for each other.
        sqlx::query("PRAGMA journal_mode = WAL").execute(&database.pool).await?;
        database.create(tables).await
    }

    /// A database of a PostgreSQL server, with its tables.
    pub async fn server(url: &reqwest::Url, tables: &[&'static str]) -> Result<Self, Error> {
        let name = url.path().trim_start_matches('/').to_owned();
        Self::connect(url.as_str(), System::Postgresql, name).await?.create(tables).await
    }

    async fn connect(url: &str, system: System, name: String) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let pool = AnyPoolOptions::new().max_connections(CONNECTIONS).connect(url).await?;
        Ok(Self { pool, system, name })
    }

    async fn create(self, tables: &[&'static str]) -> Result<Self, Error> {
        for table in tables {
            // Made of constants alone.
            let table = sqlx::AssertSqlSafe(table.replace(SERIAL, self.system.serial()));
            sqlx::query(table).execute(&self.pool).await?;
        }
        Ok(self)
    }

    /// What is about to be done to a table.
    pub fn statement(&self, operation: &'static str, table: &'static str) -> Statement {
        let start =
            clew_sdk::span(format!("{operation} {table}")).kind(SpanKind::Client).scope("aob.database");
        let start = start.set("db.system.name", self.system.name()).set("db.namespace", self.name.clone());
        Statement(start.set("db.operation.name", operation).set("db.collection.name", table))
    }
}

/// A statement that is about to run; the old names of its attributes are added when it is sent.
#[derive(Debug)]
pub struct Statement(Start);

impl Statement {
    /// Something that changes rows; tells how many.
    pub async fn change(
        self,
        work: impl Future<Output = Result<AnyQueryResult, sqlx::Error>>,
    ) -> Result<u64, sqlx::Error> {
        self.traced(async { work.await.map(|result| result.rows_affected()) }, |rows| *rows).await
    }

    /// Something that finds rows.
    pub async fn find(
        self,
        work: impl Future<Output = Result<Vec<AnyRow>, sqlx::Error>>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        self.traced(work, |rows| rows.len() as u64).await
    }

    async fn traced<T>(
        self,
        work: impl Future<Output = Result<T, sqlx::Error>>,
        rows: impl Fn(&T) -> u64,
    ) -> Result<T, sqlx::Error> {
        let (span, began) = (self.0.start(), Instant::now());
        span.clone()
            .run(async {
                let done = work.await;
                span.set("db.duration_ms", milliseconds(began.elapsed()));
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

/// Whole milliseconds, as attributes have them.
pub fn milliseconds(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}
