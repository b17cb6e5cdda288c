//! Topics in a file: SQLite, in `bus.sqlite`.

use super::{EVENTS, Message, Place};
use crate::database::Database;
use crate::error::Error;
use crate::telemetry::{self, Headers};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::collections::VecDeque;
use std::path::Path;
use std::time::Duration;

/// How often a reader looks for messages.
const PAUSE: Duration = Duration::from_millis(50);
const BATCH: i64 = 100;
const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS messages (
        position {serial}, topic TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
        headers TEXT NOT NULL, body TEXT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS consumers (
        name TEXT NOT NULL, topic TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (name, topic)
    )",
];

/// Topics of messages.
#[derive(Debug, Clone)]
pub struct Embedded(Database);

/// A consumer of the file.
#[derive(Debug)]
pub struct Reader {
    database: Database,
    consumer: &'static str,
    /// Read, and not handed out yet.
    read: VecDeque<(Message, Place)>,
}

impl Embedded {
    /// Opens or creates it.
    pub async fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self(Database::file(folder, "bus", &TABLES).await?))
    }

    /// Sends a message. One that was sent before, as its id says, is not sent again.
    pub async fn send(&self, message: &Message) -> Result<Place, Error> {
        let query = "INSERT INTO messages (topic, id, headers, body) VALUES ($1, $2, $3, $4)
            ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING position";
        let headers = serde_json::to_string(&telemetry::headers_of(&message.context))?;
        let query = sqlx::query(query).bind(EVENTS).bind(&message.id).bind(headers).bind(&message.body);
        Ok(Place::Position(query.fetch_one(&self.0.pool).await?.try_get("position")?))
    }

    /// What a consumer has not read yet.
    pub fn reader(&self, consumer: &'static str) -> Reader {
        Reader { database: self.0.clone(), consumer, read: VecDeque::new() }
    }
}

impl Reader {
    /// The next message, once there is one.
    pub async fn next(&mut self) -> Result<(Message, Place), Error> {
        loop {
            if let Some(next) = self.waiting().await? {
                return Ok(next);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The next message, if there is one already.
    pub async fn waiting(&mut self) -> Result<Option<(Message, Place)>, Error> {
        if self.read.is_empty() {
            let query = "SELECT * FROM messages WHERE topic = $1 AND position > coalesce(
                (SELECT position FROM consumers WHERE name = $2 AND topic = $3), 0) ORDER BY position LIMIT $4";
            let query = sqlx::query(query).bind(EVENTS).bind(self.consumer).bind(EVENTS).bind(BATCH);
            for row in query.fetch_all(&self.database.pool).await? {
                self.read.push_back(message_of(&row)?);
            }
        }
        Ok(self.read.pop_front())
    }

    /// All messages up to this one are worked off.
    pub async fn done(&self, position: i64) -> Result<(), Error> {
        let query = "INSERT INTO consumers VALUES ($1, $2, $3)
            ON CONFLICT (name, topic) DO UPDATE SET position = excluded.position";
        let query = sqlx::query(query).bind(self.consumer).bind(EVENTS).bind(position);
        query.execute(&self.database.pool).await?;
        Ok(())
    }
}

fn message_of(row: &AnyRow) -> Result<(Message, Place), Error> {
    let headers: Headers = serde_json::from_str(row.try_get("headers")?)?;
    let context = clew_sdk::extract(&headers);
    // There is one order of all messages, and so no need for keys.
    let message = Message { id: row.try_get("id")?, key: String::new(), context, body: row.try_get("body")? };
    Ok((message, Place::Position(row.try_get("position")?)))
}
