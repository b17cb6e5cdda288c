//! The catalog: which blocks exist, and up to where each table is sealed. SQLite, in `catalog.sqlite`.
//!
//! A block exists when the catalog says so. A new block and how far it seals its table are committed together, so that
//! a crash leaves each row either in the block or to be replayed from the log, never both and never neither.

use crate::block::{Checksums, Description};
use crate::error::Error;
use crate::place::{Place, Places};
use crate::snapshot::{BlockStatistics, OperationCount};
use crate::tables::TableKey;
use arrow::datatypes::Schema;
use arrow::ipc::convert::{IpcSchemaEncoder, fb_to_schema};
use arrow::ipc::root_as_schema;
use arrow::ipc::writer::DictionaryTracker;
use model::{Signal, TenantId, Timestamp, TraceId};
use sqlx::Row;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

/// The catalog's file in the data directory.
pub(crate) const CATALOG: &str = "catalog.sqlite";

/// The version of the tables below and of the columns in blocks.
const VERSION: i64 = 1;

/// What tells this data directory from others that keep blocks in the same object store.
const IDENTITY: &str = "CREATE TABLE IF NOT EXISTS identity AS SELECT lower(hex(randomblob(8))) AS id";

const TABLES: [&str; 4] = [
    "CREATE TABLE meta (version INTEGER NOT NULL) STRICT",
    "CREATE TABLE blocks (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        tenant TEXT NOT NULL,
        signal TEXT NOT NULL,
        path TEXT NOT NULL UNIQUE,
        rows INTEGER NOT NULL,
        bytes INTEGER NOT NULL,
        first INTEGER NOT NULL,
        last INTEGER NOT NULL,
        sealed_at INTEGER NOT NULL,
        operations TEXT NOT NULL,
        schema BLOB NOT NULL,
        schema_version INTEGER NOT NULL,
        checksums BLOB NOT NULL
    ) STRICT",
    "CREATE TABLE sealed (
        tenant TEXT NOT NULL,
        signal TEXT NOT NULL,
        sequence INTEGER NOT NULL,
        PRIMARY KEY (tenant, signal)
    ) STRICT",
    "CREATE TABLE deletions (
        tenant TEXT NOT NULL,
        trace TEXT NOT NULL,
        PRIMARY KEY (tenant, trace)
    ) STRICT",
];

pub(crate) struct Catalog {
    pool: SqlitePool,
}

/// A block as the catalog has it.
pub(crate) struct Entry {
    pub(crate) id: i64,
    pub(crate) key: TableKey,
    pub(crate) description: Description,
}

/// What the catalog holds.
#[derive(Default)]
pub(crate) struct Contents {
    pub(crate) blocks: Vec<Entry>,
    /// Blocks of which the catalog's row is damaged; their files are to be left alone.
    pub(crate) unreadable: Vec<Place>,
    /// Up to which sequence number each table is in blocks.
    pub(crate) sealed: HashMap<TableKey, u64>,
}

/// How the table of deletions has a trace: everything is empty there.
fn noted(trace: Option<TraceId>) -> String {
    trace.map(|trace| trace.to_string()).unwrap_or_default()
}

impl Catalog {
    /// Opens or creates the catalog of a data directory.
    pub(crate) async fn open(directory: &Path) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(directory.join(CATALOG))
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            // Names of operations are in here too: what is deleted is overwritten.
            .pragma("secure_delete", "ON");
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let catalog = Self { pool };
        catalog.prepare(directory).await?;
        Ok(catalog)
    }

    /// Reads the catalog of a data directory that may be in use, and changes nothing.
    pub(crate) async fn read(places: &Places) -> Result<Contents, Error> {
        let file = places.directory.join(CATALOG);
        let options = SqliteConnectOptions::new().filename(file).read_only(true);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let catalog = Self { pool };
        let contents = catalog.contents(places).await;
        catalog.close().await;
        contents
    }

    /// What tells this data directory from others.
    pub(crate) async fn identity(&self) -> Result<String, Error> {
        Ok(sqlx::query("SELECT id FROM identity").fetch_one(&self.pool).await?.try_get("id")?)
    }

    /// All that it holds.
    pub(crate) async fn contents(&self, places: &Places) -> Result<Contents, Error> {
        let mut contents = Contents { sealed: self.sealed().await?, ..Contents::default() };
        for row in sqlx::query("SELECT * FROM blocks ORDER BY id").fetch_all(&self.pool).await? {
            match entry(&row, places) {
                Ok(entry) => contents.blocks.push(entry),
                Err(error) => {
                    let place = places.named(row.try_get("path")?);
                    tracing::error!(%place, %error, "a block's row is damaged; the block is left out");
                    contents.unreadable.push(place);
                }
            }
        }
        Ok(contents)
    }

    /// Enters a block, by what [`Places`] call it, or none when nothing is kept of what was sealed, and how far that seals
    /// the table; answers the block's id.
    pub(crate) async fn add(
        &self,
        key: &TableKey,
        block: Option<(&str, &Description)>,
        sequence: u64,
    ) -> Result<Option<i64>, Error> {
        let mut transaction = self.pool.begin().await?;
        let id = match block {
            Some((name, block)) => Some(Self::insert(&mut transaction, key, name, block).await?),
            None => None,
        };
        sqlx::query("INSERT OR REPLACE INTO sealed (tenant, signal, sequence) VALUES (?, ?, ?)")
            .bind(key.tenant.as_str())
            .bind(key.signal.as_str())
            .bind(sequence.cast_signed())
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(id)
    }

    async fn insert(
        connection: &mut SqliteConnection,
        key: &TableKey,
        name: &str,
        block: &Description,
    ) -> Result<i64, Error> {
        let statistics = &block.statistics;
        let inserted = sqlx::query(
            "INSERT INTO blocks (tenant, signal, path, rows, bytes, first, last, sealed_at,
                operations, schema, schema_version, checksums)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(key.tenant.as_str())
        .bind(key.signal.as_str())
        .bind(name)
        .bind(statistics.rows.cast_signed())
        .bind(block.bytes.cast_signed())
        .bind(statistics.first.0.cast_signed())
        .bind(statistics.last.0.cast_signed())
        .bind(statistics.sealed.0.cast_signed())
        .bind(operations_to_json(&statistics.operations))
        .bind(schema_to_bytes(&block.schema))
        .bind(VERSION)
        .bind(block.checksums.to_bytes())
        .execute(connection)
        .await?;
        Ok(inserted.last_insert_rowid())
    }

    /// Puts a block in the place of others, and under the id of the first of them, so that blocks stay in order; or
    /// nothing, when no row was left.
    pub(crate) async fn replace(
        &self,
        blocks: &[i64],
        with: Option<(&str, &Description)>,
    ) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        let gone = if with.is_some() { blocks.get(1..) } else { Some(blocks) };
        for id in gone.unwrap_or_default() {
            sqlx::query("DELETE FROM blocks WHERE id = ?").bind(id).execute(&mut *transaction).await?;
        }
        if let (Some((name, block)), Some(first)) = (with, blocks.first()) {
            let statistics = &block.statistics;
            sqlx::query(
                "UPDATE blocks SET path = ?, rows = ?, bytes = ?, first = ?, last = ?, sealed_at = ?,
                    operations = ?, schema = ?, schema_version = ?, checksums = ? WHERE id = ?",
            )
            .bind(name)
            .bind(statistics.rows.cast_signed())
            .bind(block.bytes.cast_signed())
            .bind(statistics.first.0.cast_signed())
            .bind(statistics.last.0.cast_signed())
            .bind(statistics.sealed.0.cast_signed())
            .bind(operations_to_json(&statistics.operations))
            .bind(schema_to_bytes(&block.schema))
            .bind(VERSION)
            .bind(block.checksums.to_bytes())
            .bind(first)
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Notes that a trace, or everything, is to be deleted, so that a crash does not make us forget it.
    pub(crate) async fn begin_deletion(
        &self,
        tenant: &TenantId,
        trace: Option<TraceId>,
    ) -> Result<(), Error> {
        sqlx::query("INSERT OR IGNORE INTO deletions (tenant, trace) VALUES (?, ?)")
            .bind(tenant.as_str())
            .bind(noted(trace))
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets the deletion; then the catalog's files have nothing of the trace either.
    pub(crate) async fn end_deletion(&self, tenant: &TenantId, trace: Option<TraceId>) -> Result<(), Error> {
        sqlx::query("DELETE FROM deletions WHERE tenant = ? AND trace = ?")
            .bind(tenant.as_str())
            .bind(noted(trace))
            .execute(&self.pool)
            .await?;
        // What was overwritten is still in SQLite's own log.
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.pool).await?;
        Ok(())
    }

    /// The deletions that were begun and not ended: of these traces, or of everything.
    pub(crate) async fn deletions(&self) -> Result<Vec<(TenantId, Option<TraceId>)>, Error> {
        let rows = sqlx::query("SELECT tenant, trace FROM deletions").fetch_all(&self.pool).await?;
        let read = |row: &SqliteRow| {
            let (tenant, trace): (String, String) = (row.try_get("tenant")?, row.try_get("trace")?);
            let id = TraceId::parse(&trace);
            let both = TenantId::new(&tenant).filter(|_| id.is_some() || trace.is_empty());
            both.map(|tenant| (tenant, id))
                .ok_or_else(|| damaged(&format!("no tenant and trace: {tenant:?}, {trace:?}")))
        };
        rows.iter().map(read).collect()
    }

    /// Up to which sequence number each table is in blocks.
    pub(crate) async fn sealed(&self) -> Result<HashMap<TableKey, u64>, Error> {
        let rows = sqlx::query("SELECT tenant, signal, sequence FROM sealed").fetch_all(&self.pool).await?;
        let mut sealed = HashMap::new();
        for row in rows {
            sealed.insert(key_of(&row)?, row.try_get::<i64, _>("sequence")?.cast_unsigned());
        }
        Ok(sealed)
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }

    /// Creates the tables where there are none. Refuses those of a newer version.
    async fn prepare(&self, directory: &Path) -> Result<(), Error> {
        let found = sqlx::query("SELECT name FROM sqlite_schema WHERE name = 'meta'")
            .fetch_optional(&self.pool)
            .await?;
        if found.is_none() {
            self.create().await?;
        }
        let version: i64 =
            sqlx::query("SELECT version FROM meta").fetch_one(&self.pool).await?.try_get("version")?;
        if version > VERSION {
            return Err(Error::TooNew { path: directory.to_owned(), version, known: VERSION });
        }
        sqlx::query(IDENTITY).execute(&self.pool).await?;
        Ok(())
    }

    async fn create(&self) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for table in TABLES {
            sqlx::query(table).execute(&mut *transaction).await?;
        }
        sqlx::query("INSERT INTO meta (version) VALUES (?)").bind(VERSION).execute(&mut *transaction).await?;
        Ok(transaction.commit().await?)
    }
}

fn entry(row: &SqliteRow, places: &Places) -> Result<Entry, Error> {
    let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
    let schema: Vec<u8> = row.try_get("schema")?;
    let statistics = BlockStatistics {
        rows: number("rows")?,
        first: Timestamp(number("first")?),
        last: Timestamp(number("last")?),
        sealed: Timestamp(number("sealed_at")?),
        operations: operations_from_json(row.try_get("operations")?)?,
    };
    let schema = root_as_schema(&schema).map(fb_to_schema).map_err(|error| damaged(&error))?;
    let description = Description {
        place: places.named(row.try_get("path")?),
        bytes: number("bytes")?,
        statistics,
        schema: Arc::new(schema),
        checksums: Checksums::from_bytes(row.try_get("checksums")?),
    };
    Ok(Entry { id: row.try_get("id")?, key: key_of(row)?, description })
}

fn key_of(row: &SqliteRow) -> Result<TableKey, Error> {
    let tenant: String = row.try_get("tenant")?;
    let signal: String = row.try_get("signal")?;
    match (TenantId::new(&tenant), Signal::from_name(&signal)) {
        (Some(tenant), Some(signal)) => Ok(TableKey { tenant, signal }),
        _ => Err(damaged(&format!("no tenant and signal: {tenant:?}, {signal:?}"))),
    }
}

fn schema_to_bytes(schema: &Schema) -> Vec<u8> {
    let mut dictionaries = DictionaryTracker::new(false);
    let mut encoder = IpcSchemaEncoder::new().with_dictionary_tracker(&mut dictionaries);
    encoder.schema_to_fb(schema).finished_data().to_vec()
}

fn operations_to_json(operations: &[OperationCount]) -> String {
    let rows = operations
        .iter()
        .map(|count| serde_json::json!([count.service, count.operation, count.kind, count.rows]));
    serde_json::Value::Array(rows.collect()).to_string()
}

fn operations_from_json(text: &str) -> Result<Vec<OperationCount>, Error> {
    let rows: Vec<(String, String, i32, u64)> =
        serde_json::from_str(text).map_err(|error| damaged(&error))?;
    let count = |(service, operation, kind, rows)| OperationCount { service, operation, kind, rows };
    Ok(rows.into_iter().map(count).collect())
}

fn damaged(detail: &impl std::fmt::Display) -> Error {
    Error::Damaged { what: "the catalog".to_owned(), detail: detail.to_string() }
}
