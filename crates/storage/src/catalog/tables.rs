//! The catalog's tables, and how those of an older version become today's.

use super::Catalog;
use crate::error::Error;
use std::path::Path;

/// The version of the tables below and of the columns in blocks. `docs/upgrading.md` tells what each brought.
pub(super) const VERSION: i64 = 2;

const META: &str = "CREATE TABLE meta (version INTEGER NOT NULL) STRICT";

const BLOCKS: &str = "CREATE TABLE blocks (
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
) STRICT";

const SEALED: &str = "CREATE TABLE sealed (
    tenant TEXT NOT NULL,
    signal TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    PRIMARY KEY (tenant, signal)
) STRICT";

const DELETIONS: &str = "CREATE TABLE deletions (
    tenant TEXT NOT NULL,
    trace TEXT NOT NULL,
    PRIMARY KEY (tenant, trace)
) STRICT";

/// What tells this data directory from others that keep blocks in the same object store.
const IDENTITY: &str = "CREATE TABLE IF NOT EXISTS identity AS SELECT lower(hex(randomblob(8))) AS id";

/// From each version to the next; the first makes version 1 of nothing.
const STEPS: [&[&str]; 2] = [
    &[META, BLOCKS, SEALED, DELETIONS, "INSERT INTO meta (version) VALUES (1)"],
    &[
        // Which requests of the log a block holds, how often it was rewritten, how large its values are.
        "ALTER TABLE blocks ADD COLUMN first_sequence INTEGER",
        "ALTER TABLE blocks ADD COLUMN last_sequence INTEGER",
        "ALTER TABLE blocks ADD COLUMN generation INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE blocks ADD COLUMN value_bytes INTEGER NOT NULL DEFAULT 0",
        // SQLite does not notice a flipped bit within a value.
        "ALTER TABLE blocks ADD COLUMN checksum INTEGER",
        "ALTER TABLE sealed ADD COLUMN checksum INTEGER",
        // Up to which request a deletion deletes: what comes after it was asked for stays.
        "ALTER TABLE deletions ADD COLUMN sequence INTEGER",
        // Files that were given up and may not be removed yet: these alone may be deleted at a start.
        "CREATE TABLE garbage (path TEXT PRIMARY KEY) STRICT",
        // Rows of blocks that do not count, because other rows have their spans.
        "CREATE TABLE superseded (block INTEGER NOT NULL, spans BLOB NOT NULL, checksum INTEGER NOT NULL) STRICT",
        "CREATE INDEX superseded_by_block ON superseded (block)",
        "CREATE TABLE clock (
            one INTEGER PRIMARY KEY CHECK (one = 1),
            time INTEGER NOT NULL,
            wall INTEGER NOT NULL,
            boot TEXT NOT NULL,
            uptime INTEGER NOT NULL
        ) STRICT",
        "UPDATE meta SET version = 2",
        // Once more, in the header of the file: a flipped bit in one of them is no newer version.
        "PRAGMA user_version = 2",
    ],
];

/// Every column that is read or written.
const COLUMNS: [&str; 7] = [
    "SELECT id, tenant, signal, path, rows, bytes, first, last, sealed_at, operations, schema, schema_version, checksums,
        first_sequence, last_sequence, generation, value_bytes, checksum FROM blocks LIMIT 0",
    "SELECT tenant, signal, sequence, checksum FROM sealed LIMIT 0",
    "SELECT tenant, trace, sequence FROM deletions LIMIT 0",
    "SELECT path FROM garbage LIMIT 0",
    "SELECT block, spans, checksum FROM superseded LIMIT 0",
    "SELECT one, time, wall, boot, uptime FROM clock LIMIT 0",
    "SELECT id FROM identity LIMIT 0",
];

impl Catalog {
    /// The version of the tables that are there; 0 when there are none.
    pub(super) async fn version(&self) -> Result<i64, Error> {
        let found = sqlx::query("SELECT name FROM sqlite_schema WHERE name = 'meta'")
            .fetch_optional(&self.pool)
            .await?;
        match found {
            None => Ok(0),
            Some(_) => {
                use sqlx::Row;
                Ok(sqlx::query("SELECT version FROM meta").fetch_one(&self.pool).await?.try_get("version")?)
            }
        }
    }

    /// Brings the tables to this version, in one step. Refuses those of a newer version.
    pub(super) async fn prepare(&self, directory: &Path, identity: Option<&str>) -> Result<(), Error> {
        let version = self.version().await?;
        if version > VERSION {
            use sqlx::Row;
            let header: i64 = sqlx::query("PRAGMA user_version").fetch_one(&self.pool).await?.try_get(0)?;
            return Err(match header == version {
                true => Error::TooNew { path: directory.to_owned(), version, known: VERSION },
                false => super::damaged(&format!("it says that its version is {version} and {header}")),
            });
        }
        let mut transaction = self.pool.begin().await?;
        let done = usize::try_from(version).unwrap_or(0);
        for statement in STEPS.iter().skip(done).flat_map(|step| step.iter()) {
            sqlx::query(*statement).execute(&mut *transaction).await?;
        }
        sqlx::query(IDENTITY).execute(&mut *transaction).await?;
        if let Some(identity) = identity {
            sqlx::query("UPDATE identity SET id = ?").bind(identity).execute(&mut *transaction).await?;
        }
        for statement in COLUMNS {
            sqlx::query(statement).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }
}
