//! The rows of blocks that do not count, in the catalog.

use super::{Catalog, damaged};
use crate::error::Error;
use crate::superseded::{Found, SpanKeys};
use sqlx::Row;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use std::collections::HashMap;

/// By the ids of blocks.
pub(crate) type ById = HashMap<i64, SpanKeys>;

/// Notes what was found when a block was entered under this id, or none was.
pub(super) async fn note_all(
    connection: &mut SqliteConnection,
    id: Option<i64>,
    found: &Found,
) -> Result<(), Error> {
    if let Some(id) = id {
        note(connection, id, &found.spans).await?;
    }
    for (block, spans) in &found.in_blocks {
        note(connection, block.id, spans).await?;
    }
    Ok(())
}

/// Notes rows of a block that do not count, if the catalog has the block.
async fn note(connection: &mut SqliteConnection, block: i64, spans: &SpanKeys) -> Result<(), Error> {
    if spans.is_empty() {
        return Ok(());
    }
    let bytes = spans.to_bytes();
    let checksum = sum_of(block, &bytes);
    sqlx::query("INSERT INTO superseded (block, spans, checksum) SELECT id, ?, ? FROM blocks WHERE id = ?")
        .bind(bytes)
        .bind(checksum)
        .bind(block)
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets those of a block, unless that is only entered anew under this name.
pub(super) async fn forget(
    connection: &mut SqliteConnection,
    block: i64,
    name: Option<&str>,
) -> Result<(), Error> {
    sqlx::query(
        "DELETE FROM superseded WHERE block = ?1
         AND NOT EXISTS (SELECT 1 FROM blocks WHERE id = ?1 AND path = ?2)",
    )
    .bind(block)
    .bind(name)
    .execute(connection)
    .await?;
    Ok(())
}

impl Catalog {
    /// The rows of blocks that do not count. What is damaged is left out: those rows count until they are compacted.
    pub(super) async fn superseded(&self) -> Result<ById, Error> {
        let mut all = ById::new();
        for row in sqlx::query("SELECT block, spans, checksum FROM superseded").fetch_all(&self.pool).await? {
            match read(&row) {
                Ok((block, spans)) => all.entry(block).or_default().merge(spans),
                Err(error) => tracing::error!(%error, "a note of spans that were sent again is damaged"),
            }
        }
        Ok(all)
    }
}

fn read(row: &SqliteRow) -> Result<(i64, SpanKeys), Error> {
    let (block, bytes): (i64, Vec<u8>) = (row.try_get("block")?, row.try_get("spans")?);
    let checksum: i64 = row.try_get("checksum")?;
    if checksum != sum_of(block, &bytes) {
        return Err(damaged(&format!("the note of block {block} is not what was written")));
    }
    Ok((block, SpanKeys::from_bytes(&bytes)))
}

fn sum_of(block: i64, bytes: &[u8]) -> i64 {
    super::row::sum_of(&[&block.to_le_bytes(), bytes])
}
