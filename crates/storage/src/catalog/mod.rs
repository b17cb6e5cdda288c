//! The catalog: which blocks exist, and up to where each table is sealed. SQLite, in `catalog.sqlite`.
//!
//! A block exists when the catalog says so. A new block and how far it seals its table are committed together, so that
//! a crash leaves each row either in the block or to be replayed from the log, never both and never neither.
//!
//! One file holds all of it between two commits: with a log of SQLite's own beside it, whoever copied or lost one of the
//! two would lose the blocks that were committed last. What is lost all the same can be rebuilt from the blocks, which say
//! of themselves what the catalog needs to know (`crate::recovery`).

mod row;
mod superseded;
mod tables;

use crate::block::Description;
use crate::clock::{Reading, Saved};
use crate::error::Error;
use crate::place::{Place, Places};
use crate::superseded::Found;
use crate::tables::TableKey;
use model::{TenantId, Timestamp, TraceId};
use sqlx::Row;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::Duration;

/// The catalog's file in the data directory.
pub(crate) const CATALOG: &str = "catalog.sqlite";

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
    /// The ids and places of blocks of which the catalog's row is damaged.
    pub(crate) unreadable: Vec<(i64, Place)>,
    /// Up to which sequence number each table is in blocks.
    pub(crate) sealed: HashMap<TableKey, u64>,
    /// The rows of blocks, by their ids, that do not count.
    pub(crate) superseded: superseded::ById,
}

/// How the table of deletions has a trace: everything is empty there.
fn noted(trace: Option<TraceId>) -> String {
    trace.map(|trace| trace.to_string()).unwrap_or_default()
}

impl Catalog {
    /// Opens the catalog of a data directory, or creates one, with this identity if it had one before.
    ///
    /// # Errors
    /// When it is damaged; `clew repair` makes a new one.
    pub(crate) async fn open(directory: &Path, identity: Option<&str>) -> Result<Self, Error> {
        let file = directory.join(CATALOG);
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Truncate)
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(Duration::from_secs(30))
            // Names of operations are in here too: what is deleted is overwritten.
            .pragma("secure_delete", "ON")
            .pragma("cell_size_check", "ON");
        let opening = async {
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            let catalog = Self { pool };
            catalog.check().await?;
            catalog.prepare(directory, identity).await?;
            Ok(catalog)
        };
        opening.await.map_err(|error| Error::of_catalog(&file, error))
    }

    /// Reads the catalog of a data directory that may be in use, and changes nothing.
    pub(crate) async fn read(places: &Places) -> Result<Contents, Error> {
        let file = places.directory.join(CATALOG);
        let reading = async {
            let options = SqliteConnectOptions::new().filename(&file).read_only(true);
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            let catalog = Self { pool };
            let contents = catalog.contents(places).await;
            catalog.close().await;
            contents
        };
        reading.await.map_err(|error| Error::of_catalog(&file, error))
    }

    /// Writes a copy of a catalog that may be in use, as it is at one moment.
    pub(crate) async fn copy(file: &Path, to: &Path) -> Result<(), Error> {
        let copying = async {
            let options = SqliteConnectOptions::new().filename(file).read_only(true);
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            sqlx::query("VACUUM INTO ?").bind(to.to_string_lossy()).execute(&pool).await?;
            pool.close().await;
            Ok(())
        };
        copying.await.map_err(|error| Error::of_catalog(file, error))?;
        let copy = std::fs::File::open(to).map_err(Error::io("opening", to))?;
        copy.sync_all().map_err(Error::io("writing", to))
    }

    /// Whether the file hangs together, as far as SQLite can tell.
    async fn check(&self) -> Result<(), Error> {
        let found: String = sqlx::query("PRAGMA quick_check(1)").fetch_one(&self.pool).await?.try_get(0)?;
        if found == "ok" { Ok(()) } else { Err(damaged(&found)) }
    }

    /// Whether it has nothing of a store yet, not even its tables.
    pub(crate) async fn is_new(file: &Path) -> bool {
        let reading = async {
            let options = SqliteConnectOptions::new().filename(file).read_only(true);
            let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await?;
            let catalog = Self { pool };
            let version = catalog.version().await;
            catalog.close().await;
            version
        };
        // What cannot be read is not new.
        reading.await.is_ok_and(|version| version == 0)
    }

    /// What tells this data directory from others.
    pub(crate) async fn identity(&self) -> Result<String, Error> {
        Ok(sqlx::query("SELECT id FROM identity").fetch_one(&self.pool).await?.try_get("id")?)
    }

    /// All that it holds.
    pub(crate) async fn contents(&self, places: &Places) -> Result<Contents, Error> {
        let mut contents = Contents { sealed: self.sealed().await?, ..Contents::default() };
        let known = self.version().await? >= 2;
        // A directory of version 1 that is only read has no such columns.
        let all = match known {
            true => "SELECT * FROM blocks ORDER BY id",
            false => {
                "SELECT *, NULL AS first_sequence, NULL AS last_sequence, 0 AS generation, 0 AS value_bytes,
                    NULL AS checksum FROM blocks ORDER BY id"
            }
        };
        if known {
            contents.superseded = self.superseded().await?;
        }
        for row in sqlx::query(all).fetch_all(&self.pool).await? {
            match row::entry(&row, places) {
                Ok(entry) => contents.blocks.push(entry),
                Err(error) => {
                    let place = places.named(row.try_get("path")?);
                    tracing::error!(%place, %error, "a block's row in the catalog is damaged");
                    contents.unreadable.push((row.try_get("id")?, place));
                }
            }
        }
        Ok(contents)
    }

    /// Enters a block, by what [`Places`] call it, or none when nothing is kept of what was sealed, how far that seals the
    /// table, and which rows do not count from then on; answers the block's id.
    pub(crate) async fn add(
        &self,
        key: &TableKey,
        block: Option<(&str, &Description)>,
        sequence: u64,
        found: &Found,
    ) -> Result<Option<i64>, Error> {
        let mut transaction = self.pool.begin().await?;
        let id = match block {
            Some(block) => Some(row::insert(&mut transaction, None, key, block).await?),
            None => None,
        };
        superseded::note_all(&mut transaction, id, found).await?;
        seal(&mut transaction, key, sequence).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// The id of the block of this name.
    pub(crate) async fn id_of(&self, name: &str) -> Result<Option<i64>, Error> {
        let found = sqlx::query("SELECT id FROM blocks WHERE path = ?").bind(name);
        Ok(found.fetch_optional(&self.pool).await?.map(|row| row.try_get("id")).transpose()?)
    }

    /// Notes how far a table is sealed.
    pub(crate) async fn seal(&self, key: &TableKey, sequence: u64) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        seal(&mut transaction, key, sequence).await?;
        Ok(transaction.commit().await?)
    }

    /// Puts a block in the place of others, and under the id of the first of them, so that blocks stay in order; or nothing,
    /// when no row was left; and notes which rows do not count then. The files of the others are garbage from then on.
    /// Without others, the block is entered. Answers its id.
    pub(crate) async fn replace(
        &self,
        key: &TableKey,
        blocks: &[i64],
        with: Option<(&str, &Description)>,
        found: &Found,
    ) -> Result<Option<i64>, Error> {
        let mut transaction = self.pool.begin().await?;
        for id in blocks {
            superseded::forget(&mut transaction, *id, with.map(|(name, _)| name)).await?;
            sqlx::query("INSERT OR IGNORE INTO garbage (path) SELECT path FROM blocks WHERE id = ?")
                .bind(id)
                .execute(&mut *transaction)
                .await?;
            sqlx::query("DELETE FROM blocks WHERE id = ?").bind(id).execute(&mut *transaction).await?;
        }
        let mut id = None;
        if let Some(with) = with {
            id = Some(row::insert(&mut transaction, blocks.first().copied(), key, with).await?);
            // The file may be the same, when only its row was damaged.
            sqlx::query("DELETE FROM garbage WHERE path = ?").bind(with.0).execute(&mut *transaction).await?;
        }
        superseded::note_all(&mut transaction, id, found).await?;
        transaction.commit().await?;
        Ok(id)
    }

    /// The names of files that were given up: these may be deleted.
    pub(crate) async fn garbage(&self) -> Result<BTreeSet<String>, Error> {
        let rows = sqlx::query("SELECT path FROM garbage").fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| row.try_get("path")).collect::<Result<_, _>>()?)
    }

    /// Forgets files that were given up, and are gone.
    pub(crate) async fn forget_garbage(&self, names: &[String]) -> Result<(), Error> {
        let mut transaction = self.pool.begin().await?;
        for name in names {
            sqlx::query("DELETE FROM garbage WHERE path = ?").bind(name).execute(&mut *transaction).await?;
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

    /// Notes up to which request a deletion deletes, unless that was noted before; answers which it is.
    pub(crate) async fn bound_deletion(
        &self,
        tenant: &TenantId,
        trace: Option<TraceId>,
        sequence: u64,
    ) -> Result<u64, Error> {
        let bound = sqlx::query(
            "UPDATE deletions SET sequence = coalesce(sequence, ?) WHERE tenant = ? AND trace = ? RETURNING sequence",
        )
        .bind(sequence.cast_signed())
        .bind(tenant.as_str())
        .bind(noted(trace))
        .fetch_one(&self.pool)
        .await?;
        Ok(bound.try_get::<i64, _>("sequence")?.cast_unsigned())
    }

    /// Forgets the deletion; then the catalog's file has nothing of the trace either.
    pub(crate) async fn end_deletion(&self, tenant: &TenantId, trace: Option<TraceId>) -> Result<(), Error> {
        sqlx::query("DELETE FROM deletions WHERE tenant = ? AND trace = ?")
            .bind(tenant.as_str())
            .bind(noted(trace))
            .execute(&self.pool)
            .await?;
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

    /// Up to which sequence number each table is in blocks. A damaged number is left out: the blocks tell then.
    pub(crate) async fn sealed(&self) -> Result<HashMap<TableKey, u64>, Error> {
        let mut sealed = HashMap::new();
        for row in sqlx::query("SELECT * FROM sealed").fetch_all(&self.pool).await? {
            let (tenant, signal): (String, String) = (row.try_get("tenant")?, row.try_get("signal")?);
            let sequence: i64 = row.try_get("sequence")?;
            let checksum: Option<i64> = row.try_get("checksum").unwrap_or_default();
            let is_whole = checksum.is_none_or(|sum| sum == sum_of_sealed(&tenant, &signal, sequence));
            match row::key_of(&tenant, &signal) {
                Ok(key) if is_whole => drop(sealed.insert(key, sequence.cast_unsigned())),
                _ => tracing::error!(tenant, signal, "how far this is sealed is damaged in the catalog"),
            }
        }
        Ok(sealed)
    }

    /// What was kept of the store's clock.
    pub(crate) async fn clock(&self) -> Result<Option<Saved>, Error> {
        let row = sqlx::query("SELECT * FROM clock").fetch_optional(&self.pool).await?;
        let read = |row: SqliteRow| {
            let number = |name: &str| row.try_get::<i64, _>(name).map(i64::cast_unsigned);
            let reading = Reading {
                wall: Timestamp(number("wall")?),
                boot: row.try_get("boot")?,
                uptime: Duration::from_nanos(number("uptime")?),
            };
            Ok(Saved { time: Timestamp(number("time")?), reading })
        };
        row.map(read).transpose()
    }

    /// Keeps it.
    pub(crate) async fn save_clock(&self, clock: &Saved) -> Result<(), Error> {
        let uptime = i64::try_from(clock.reading.uptime.as_nanos()).unwrap_or(i64::MAX);
        sqlx::query("INSERT OR REPLACE INTO clock (one, time, wall, boot, uptime) VALUES (1, ?, ?, ?, ?)")
            .bind(clock.time.0.cast_signed())
            .bind(clock.reading.wall.0.cast_signed())
            .bind(&clock.reading.boot)
            .bind(uptime)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

async fn seal(connection: &mut SqliteConnection, key: &TableKey, sequence: u64) -> Result<(), Error> {
    let (tenant, signal) = (key.tenant.as_str(), key.signal.as_str());
    let sequence = sequence.cast_signed();
    sqlx::query("INSERT OR REPLACE INTO sealed (tenant, signal, sequence, checksum) VALUES (?, ?, ?, ?)")
        .bind(tenant)
        .bind(signal)
        .bind(sequence)
        .bind(sum_of_sealed(tenant, signal, sequence))
        .execute(connection)
        .await?;
    Ok(())
}

fn sum_of_sealed(tenant: &str, signal: &str, sequence: i64) -> i64 {
    row::sum_of(&[tenant.as_bytes(), signal.as_bytes(), &sequence.to_le_bytes()])
}

fn damaged(detail: &impl std::fmt::Display) -> Error {
    Error::Damaged { what: "the catalog".to_owned(), detail: detail.to_string() }
}
