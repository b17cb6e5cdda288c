//! The embedded transport: topics of messages with headers, read by other processes. SQLite, in `bus.sqlite`.

use crate::database::Database;
use crate::error::Error;
use crate::telemetry::Headers;
use sqlx::Row;
use std::path::Path;

/// Where events go.
pub const EVENTS: &str = "aob.events";

/// As `messaging.system` calls it.
pub const SYSTEM: &str = "sqlite";

const TABLES: [&str; 2] = [
    "CREATE TABLE IF NOT EXISTS messages (
        position {serial}, topic TEXT NOT NULL, id TEXT NOT NULL UNIQUE,
        headers TEXT NOT NULL, body TEXT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS consumers (
        name TEXT NOT NULL, topic TEXT NOT NULL, position INTEGER NOT NULL, PRIMARY KEY (name, topic)
    )",
];

/// A message with the context it was sent in.
#[derive(Debug)]
pub struct Message {
    pub position: i64,
    pub id: String,
    pub headers: Headers,
    pub body: String,
}

/// Topics of messages.
#[derive(Debug, Clone)]
pub struct Bus(Database);

impl Bus {
    /// Opens or creates it.
    pub async fn open(folder: &Path) -> Result<Self, Error> {
        Ok(Self(Database::file(folder, "bus", &TABLES).await?))
    }

    /// Sends a message. One that was sent before, as its id says, is not sent again.
    pub async fn send(&self, topic: &str, id: &str, headers: &Headers, body: &str) -> Result<(), Error> {
        let query =
            "INSERT INTO messages (topic, id, headers, body) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING";
        let query = sqlx::query(query).bind(topic).bind(id).bind(serde_json::to_string(headers)?).bind(body);
        query.execute(&self.0.pool).await?;
        Ok(())
    }

    /// Messages that a consumer has not done yet, oldest first.
    pub async fn waiting(&self, consumer: &str, topic: &str, limit: i64) -> Result<Vec<Message>, Error> {
        let query = "SELECT * FROM messages WHERE topic = $1 AND position > coalesce(
                (SELECT position FROM consumers WHERE name = $2 AND topic = $3), 0) ORDER BY position LIMIT $4";
        let query = sqlx::query(query).bind(topic).bind(consumer).bind(topic).bind(limit);
        let mut messages = Vec::new();
        for row in query.fetch_all(&self.0.pool).await? {
            messages.push(Message {
                position: row.try_get("position")?,
                id: row.try_get("id")?,
                headers: serde_json::from_str(row.try_get("headers")?)?,
                body: row.try_get("body")?,
            });
        }
        Ok(messages)
    }

    /// A consumer is done with all messages up to this one.
    pub async fn done(&self, consumer: &str, topic: &str, position: i64) -> Result<(), Error> {
        let query = "INSERT INTO consumers VALUES ($1, $2, $3)
            ON CONFLICT (name, topic) DO UPDATE SET position = excluded.position";
        sqlx::query(query).bind(consumer).bind(topic).bind(position).execute(&self.0.pool).await?;
        Ok(())
    }
}
