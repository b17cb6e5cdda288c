//! Databases: how one is opened, and statements as spans. SQLite files, or a PostgreSQL server.

use crate::error::Error;
use clew_sdk::Span;
use clew_sdk::database::Statement;
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

    /// Runs a statement that changes rows; tells how many.
    pub async fn change(
        &self,
        text: &str,
        work: impl Future<Output = Result<AnyQueryResult, sqlx::Error>>,
    ) -> Result<u64, sqlx::Error> {
        let done = self.statement(text).change(timed(work), AnyQueryResult::rows_affected).await?;
        Ok(done.rows_affected())
    }

    /// Runs a statement that finds rows.
    pub async fn find(
        &self,
        text: &str,
        work: impl Future<Output = Result<Vec<AnyRow>, sqlx::Error>>,
    ) -> Result<Vec<AnyRow>, sqlx::Error> {
        self.statement(text).find(timed(work)).await
    }

    fn statement<'a>(&self, text: &'a str) -> Statement<'a> {
        let statement = clew_sdk::database::statement(self.system.name(), &self.name, text);
        statement.with(|start| start.scope("aob.database"))
    }
}

/// Tells the statement's span how long it took, as AOB's guide wants it.
async fn timed<T>(work: impl Future<Output = T>) -> T {
    let began = Instant::now();
    let done = work.await;
    Span::current().set("db.duration_ms", milliseconds(began.elapsed()));
    done
}

/// Whole milliseconds, as attributes have them.
pub fn milliseconds(took: Duration) -> i64 {
    i64::try_from(took.as_millis()).unwrap_or(i64::MAX)
}
