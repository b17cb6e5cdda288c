//! Which blocks exist, and up to which record of the log each tenant's signal is sealed. SQLite; one transaction says both.

use crate::Error;
use crate::block::Block;
use crate::merge::schema_of;
use crate::statistics::BlockStatistics;
use arrow::datatypes::Schema;
use model::schema::parse_attribute_column;
use model::{Signal, TenantId};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{Row, SqliteConnection};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Version of the tables and of the blocks they name.
const VERSION: i64 = 1;

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS version (number INTEGER NOT NULL)",
    "CREATE TABLE IF NOT EXISTS blocks (
        id INTEGER PRIMARY KEY, tenant TEXT NOT NULL, signal TEXT NOT NULL, file TEXT NOT NULL UNIQUE,
        bytes INTEGER NOT NULL, statistics TEXT NOT NULL, attribute_columns TEXT NOT NULL, metadata TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS sealed (
        tenant TEXT NOT NULL, signal TEXT NOT NULL, sequence INTEGER NOT NULL, PRIMARY KEY (tenant, signal))",
];

/// A tenant's signal.
pub type Shelf = (TenantId, Signal);

/// What the catalog says at start.
pub struct Contents {
    pub blocks: Vec<(Shelf, Arc<Block>)>,
    pub sealed: HashMap<Shelf, u64>,
}

/// A block to be entered.
pub struct NewBlock<'a> {
    pub shelf: &'a Shelf,
    pub file: String,
    pub bytes: u64,
    pub schema: &'a Schema,
    pub statistics: &'a BlockStatistics,
}

#[derive(Clone)]
pub struct Catalog {
    pool: SqlitePool,
    blocks: PathBuf,
}

impl Catalog {
    /// Opens or creates the catalog; `blocks` is the directory that its files stand in.
    pub async fn open(path: &Path, blocks: PathBuf) -> Result<Self, Error> {
        let options = SqliteConnectOptions::new()
            .filename(path)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
        let catalog = Self { pool, blocks };
        catalog.prepare().await?;
        Ok(catalog)
    }

    async fn prepare(&self) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for table in TABLES {
            sqlx::query(table).execute(&mut *transaction).await?;
        }
        let found: Option<i64> =
            sqlx::query_scalar("SELECT number FROM version").fetch_optional(&mut *transaction).await?;
        match found {
            None => {
                sqlx::query("INSERT INTO version VALUES (?)")
                    .bind(VERSION)
                    .execute(&mut *transaction)
                    .await?;
            }
            Some(VERSION) => {}
            Some(other) => {
                let detail = format!(
                    "it has version {other}, this clew reads version {VERSION}; use the clew that wrote it"
                );
                return Err(Error::Damaged { what: "the data directory".to_owned(), detail });
            }
        }
        Ok(transaction.commit().await?)
    }

    /// Everything entered, blocks in the order entered.
    pub async fn contents(&self) -> Result<Contents, Error> {
        let mut blocks = Vec::new();
        for row in sqlx::query("SELECT * FROM blocks ORDER BY id").fetch_all(&self.pool).await? {
            blocks.push(self.block(&row)?);
        }
        let mut sealed = HashMap::new();
        for row in sqlx::query("SELECT * FROM sealed").fetch_all(&self.pool).await? {
            let sequence: i64 = row.try_get("sequence")?;
            sealed.insert(shelf(&row)?, sequence.cast_unsigned());
        }
        Ok(Contents { blocks, sealed })
    }

    fn block(&self, row: &sqlx::sqlite::SqliteRow) -> Result<(Shelf, Arc<Block>), Error> {
        let shelf = shelf(row)?;
        let bytes: i64 = row.try_get("bytes")?;
        let columns: Vec<String> = parse(row.try_get("attribute_columns")?)?;
        let metadata: HashMap<String, String> = parse(row.try_get("metadata")?)?;
        let schema = Arc::new(schema_of(shelf.1, &columns, metadata));
        let statistics = parse(row.try_get("statistics")?)?;
        let path = self.blocks.join(row.try_get::<String, _>("file")?);
        Ok((shelf, Arc::new(Block::new(row.try_get("id")?, path, bytes.cast_unsigned(), schema, statistics))))
    }

    /// Enters a block, and says that its shelf is sealed up to this record. Gives the block's id.
    pub async fn enter(&self, block: NewBlock<'_>, sealed: u64) -> Result<i64, Error> {
        let names = block.schema.fields().iter().map(|field| field.name().as_str());
        let columns: Vec<_> = names.filter(|name| parse_attribute_column(name).is_some()).collect();
        let (tenant, signal) = block.shelf;
        let mut transaction = self.pool.begin().await?;
        let id = sqlx::query(
            "INSERT INTO blocks (tenant, signal, file, bytes, statistics, attribute_columns, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(tenant.as_str())
        .bind(signal.as_str())
        .bind(block.file)
        .bind(block.bytes.cast_signed())
        .bind(text(block.statistics)?)
        .bind(text(&columns)?)
        .bind(text(block.schema.metadata())?)
        .execute(&mut *transaction)
        .await?
        .last_insert_rowid();
        set_sealed(&mut transaction, block.shelf, sealed).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// Lets go of blocks; their files may be removed then.
    pub async fn remove(&self, ids: &[i64]) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for id in ids {
            sqlx::query("DELETE FROM blocks WHERE id = ?").bind(id).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub async fn close(&self) {
        self.pool.close().await;
    }
}

async fn set_sealed(connection: &mut SqliteConnection, shelf: &Shelf, sequence: u64) -> Result<(), Error> {
    sqlx::query("INSERT INTO sealed VALUES (?, ?, ?) ON CONFLICT (tenant, signal) DO UPDATE SET sequence = excluded.sequence")
        .bind(shelf.0.as_str())
        .bind(shelf.1.as_str())
        .bind(sequence.cast_signed())
        .execute(connection)
        .await?;
    Ok(())
}

fn shelf(row: &sqlx::sqlite::SqliteRow) -> Result<Shelf, Error> {
    let (tenant, signal): (String, String) = (row.try_get("tenant")?, row.try_get("signal")?);
    TenantId::new(&tenant).zip(Signal::from_name(&signal)).ok_or_else(|| Error::Damaged {
        what: "the catalog".to_owned(),
        detail: format!("it names the tenant {tenant:?} and the signal {signal:?}"),
    })
}

fn parse<T: serde::de::DeserializeOwned>(json: &str) -> Result<T, Error> {
    serde_json::from_str(json).map_err(|error| damaged(&error))
}

fn text<T: serde::Serialize>(value: T) -> Result<String, Error> {
    serde_json::to_string(&value).map_err(|error| damaged(&error))
}

fn damaged(error: &serde_json::Error) -> Error {
    Error::Damaged { what: "the catalog".to_owned(), detail: error.to_string() }
}
