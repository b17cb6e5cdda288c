//! The event store: runs, their events with an outbox, snapshots and decisions. In `aob.sqlite`, or in a PostgreSQL database.
//!
//! An event and the message that tells of it are committed together: none is told that did not happen, none is forgotten.

use crate::database::Database;
use crate::error::Error;
use crate::run::{Mode, Owner, Run, Waiting};
use crate::settings::Settings;
use crate::telemetry::{self, Headers};
use crate::workflow::Workflows;
use serde_json::{Value, json};
use sqlx::Row;
use sqlx::any::AnyRow;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};
use tokio::sync::Notify;
use uuid::Uuid;

const TABLES: [&str; 5] = [
    "CREATE TABLE IF NOT EXISTS runs (
        id TEXT PRIMARY KEY, correlation_id TEXT NOT NULL, workflow TEXT NOT NULL, tenant TEXT NOT NULL,
        owner TEXT NOT NULL, state TEXT NOT NULL, context TEXT NOT NULL, origin TEXT NOT NULL,
        execution TEXT NOT NULL, waiting TEXT
    )",
    "CREATE TABLE IF NOT EXISTS events (
        sequence {serial}, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, kind TEXT NOT NULL, node TEXT, correlation_id TEXT NOT NULL,
        causation_id TEXT, idempotency_key TEXT NOT NULL UNIQUE, trace_id TEXT NOT NULL, payload TEXT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS outbox (
        sequence {serial}, event TEXT NOT NULL, headers TEXT NOT NULL,
        body TEXT NOT NULL, published_at BIGINT
    )",
    "CREATE TABLE IF NOT EXISTS snapshots (
        id {serial}, run TEXT NOT NULL, node TEXT NOT NULL, context TEXT NOT NULL,
        at BIGINT NOT NULL
    )",
    "CREATE TABLE IF NOT EXISTS decisions (
        sequence {serial}, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL, correlation_id TEXT NOT NULL, trace_id TEXT NOT NULL,
        edge TEXT NOT NULL, rules TEXT NOT NULL, decision TEXT NOT NULL, violated TEXT NOT NULL,
        evaluation_time_ms BIGINT NOT NULL, at BIGINT NOT NULL
    )",
];

/// The event store.
#[derive(Debug, Clone)]
pub struct Store {
    database: Database,
    /// Told when there is something in the outbox.
    pub appended: Arc<Notify>,
}

/// Something that happened in a run.
#[derive(Debug)]
pub struct Event<'a> {
    pub kind: &'static str,
    pub node: Option<&'a str>,
    pub payload: Value,
}

/// A decision on an edge, as it is kept.
#[derive(Debug)]
pub struct Decision<'a> {
    pub edge: &'a str,
    pub rules: &'a [String],
    pub decision: &'static str,
    pub violated: &'a [String],
    pub evaluation_time_ms: i64,
}

/// A run as it was left.
#[derive(Debug)]
pub struct Kept {
    pub run: Run,
    pub state: String,
    /// The span of its execution.
    pub execution: Headers,
    pub waiting: Option<Waiting>,
}

/// A message that is to be published.
#[derive(Debug)]
pub struct Unpublished {
    pub sequence: i64,
    pub event: String,
    pub run: String,
    pub headers: Headers,
    pub body: String,
}

/// Nanoseconds since 1970.
pub fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX)
}

fn at() -> i64 {
    i64::try_from(now()).unwrap_or(i64::MAX)
}

impl Store {
    /// Opens or creates it.
    pub async fn open(settings: &Settings) -> Result<Self, Error> {
        let database = match &settings.database_url {
            Some(url) => Database::server(url, &TABLES).await?,
            None => Database::file(&settings.data, "aob", &TABLES).await?,
        };
        Ok(Self { database, appended: Arc::new(Notify::new()) })
    }

    /// A new run.
    pub async fn begin(&self, run: &Run, execution: &Headers) -> Result<(), Error> {
        let text = "INSERT INTO runs VALUES ($1, $2, $3, $4, $5, 'running', $6, $7, $8, NULL) ON CONFLICT DO NOTHING";
        let query = sqlx::query(text)
            .bind(&run.id)
            .bind(&run.correlation_id)
            .bind(&run.workflow.name)
            .bind(&run.owner.tenant)
            .bind(&run.owner.user)
            .bind(run.context.to_string())
            .bind(serde_json::to_string(&run.origin)?)
            .bind(serde_json::to_string(execution)?);
        match self.database.change(text, query.execute(&self.database.pool)).await? {
            0 => Err(Error::RunExists { id: run.id.clone() }),
            _ => Ok(()),
        }
    }

    /// How a run stands now.
    pub async fn settle(&self, run: &Run, state: &str, waiting: Option<&Waiting>) -> Result<(), Error> {
        if run.mode == Mode::Replay {
            return Ok(());
        }
        let text = "UPDATE runs SET state = $1, context = $2, waiting = $3 WHERE id = $4";
        let query = sqlx::query(text)
            .bind(state.to_owned())
            .bind(run.context.to_string())
            .bind(waiting.map(serde_json::to_string).transpose()?)
            .bind(&run.id);
        self.database.change(text, query.execute(&self.database.pool)).await?;
        Ok(())
    }

    /// Takes a waiting run, so that only one of two who resume it goes on.
    pub async fn take(&self, kept: &Kept) -> Result<(), Error> {
        let text = "UPDATE runs SET state = 'running', waiting = NULL WHERE id = $1 AND state = 'waiting'";
        let query = sqlx::query(text);
        let query = query.bind(&kept.run.id);
        match self.database.change(text, query.execute(&self.database.pool)).await? {
            0 => Err(Error::NotWaiting { id: kept.run.id.clone(), state: kept.state.clone() }),
            _ => Ok(()),
        }
    }

    /// A run as it was left.
    pub async fn kept(&self, id: &str, tenant: &str, workflows: &Workflows) -> Result<Kept, Error> {
        let text = "SELECT * FROM runs WHERE id = $1 AND tenant = $2";
        let query = sqlx::query(text).bind(id).bind(tenant);
        let rows = self.database.find(text, query.fetch_all(&self.database.pool)).await?;
        let row = rows.first().ok_or_else(|| Error::UnknownRun { id: id.to_owned() })?;
        let run = Run {
            id: row.try_get("id")?,
            correlation_id: row.try_get("correlation_id")?,
            workflow: workflows.get(row.try_get("workflow")?)?,
            owner: Owner { tenant: row.try_get("tenant")?, user: row.try_get("owner")? },
            context: json_of(row, "context")?,
            cause: None,
            origin: serde_json::from_str(row.try_get("origin")?)?,
            mode: Mode::Live,
        };
        let waiting: Option<String> = row.try_get("waiting")?;
        let waiting = waiting.as_deref().map(serde_json::from_str).transpose()?;
        let execution = serde_json::from_str(row.try_get("execution")?)?;
        Ok(Kept { run, state: row.try_get("state")?, execution, waiting })
    }

    /// Writes down what happened, and that others are to be told.
    pub async fn append(&self, run: &mut Run, event: Event<'_>) -> Result<(), Error> {
        if run.mode == Mode::Replay {
            return Ok(());
        }
        let id = Uuid::new_v4().to_string();
        let body = json!({
            "id": id, "workflow_id": run.id, "type": event.kind, "node": event.node, "trace_id": telemetry::trace_id(),
            "correlation_id": run.correlation_id, "causation_id": run.cause, "payload": event.payload,
        });
        let mut transaction = self.database.pool.begin().await?;
        let text = "INSERT INTO events (id, run, kind, node, correlation_id, causation_id, idempotency_key, trace_id, payload, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let insert = sqlx::query(text)
            .bind(&id)
            .bind(&run.id)
            .bind(event.kind)
            .bind(event.node)
            .bind(&run.correlation_id)
            .bind(&run.cause)
            .bind(format!("{}/{}/{}", run.id, event.node.unwrap_or_default(), event.kind))
            .bind(telemetry::trace_id())
            .bind(event.payload.to_string())
            .bind(at());
        self.database.change(text, insert.execute(&mut *transaction)).await?;
        let text = "INSERT INTO outbox (event, headers, body) VALUES ($1, $2, $3)";
        let insert =
            sqlx::query(text).bind(&id).bind(serde_json::to_string(&run.origin)?).bind(body.to_string());
        self.database.change(text, insert.execute(&mut *transaction)).await?;
        transaction.commit().await?;
        run.cause = Some(id);
        self.appended.notify_one();
        Ok(())
    }

    /// Keeps what a run knows after a node.
    pub async fn snapshot(&self, run: &Run, node: &str) -> Result<(), Error> {
        if run.mode == Mode::Replay {
            return Ok(());
        }
        let text = "INSERT INTO snapshots (run, node, context, at) VALUES ($1, $2, $3, $4)";
        let query =
            sqlx::query(text).bind(&run.id).bind(node.to_owned()).bind(run.context.to_string()).bind(at());
        self.database.change(text, query.execute(&self.database.pool)).await?;
        Ok(())
    }

    /// Keeps a decision.
    pub async fn decide(&self, run: &Run, decision: Decision<'_>) -> Result<(), Error> {
        if run.mode == Mode::Replay {
            return Ok(());
        }
        let text = "INSERT INTO decisions (id, run, correlation_id, trace_id, edge, rules, decision, violated, evaluation_time_ms, at)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
        let query = sqlx::query(text)
            .bind(Uuid::new_v4().to_string())
            .bind(&run.id)
            .bind(&run.correlation_id)
            .bind(telemetry::trace_id())
            .bind(decision.edge.to_owned())
            .bind(serde_json::to_string(decision.rules)?)
            .bind(decision.decision)
            .bind(serde_json::to_string(decision.violated)?)
            .bind(decision.evaluation_time_ms)
            .bind(at());
        self.database.change(text, query.execute(&self.database.pool)).await?;
        Ok(())
    }

    /// What happened in a run, oldest first.
    pub async fn events(&self, run: &str) -> Result<Vec<Value>, Error> {
        let text = "SELECT * FROM events WHERE run = $1 ORDER BY sequence";
        let query = sqlx::query(text).bind(run);
        let rows = self.database.find(text, query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(event_of).collect()
    }

    /// What was decided in a run, oldest first.
    pub async fn decisions(&self, run: &str) -> Result<Vec<Value>, Error> {
        let text = "SELECT * FROM decisions WHERE run = $1 ORDER BY sequence";
        let query = sqlx::query(text).bind(run);
        let rows = self.database.find(text, query.fetch_all(&self.database.pool)).await?;
        rows.iter().map(decision_of).collect()
    }

    /// The snapshots of a run, oldest first: (id, node, context).
    pub async fn snapshots(&self, run: &str) -> Result<Vec<(i64, String, Value)>, Error> {
        let text = "SELECT * FROM snapshots WHERE run = $1 ORDER BY id";
        let query = sqlx::query(text).bind(run);
        let rows = self.database.find(text, query.fetch_all(&self.database.pool)).await?;
        let read = |row: &AnyRow| Ok((row.try_get("id")?, row.try_get("node")?, json_of(row, "context")?));
        rows.iter().map(read).collect()
    }

    /// Messages that nobody has been told yet, oldest first. No span: it is asked again and again.
    pub async fn unpublished(&self, limit: i64) -> Result<Vec<Unpublished>, Error> {
        let query = "SELECT outbox.*, events.run FROM outbox JOIN events ON events.id = outbox.event
            WHERE published_at IS NULL ORDER BY outbox.sequence LIMIT $1";
        let rows = sqlx::query(query).bind(limit).fetch_all(&self.database.pool).await?;
        let read = |row: &AnyRow| {
            Ok(Unpublished {
                sequence: row.try_get("sequence")?,
                event: row.try_get("event")?,
                run: row.try_get("run")?,
                headers: serde_json::from_str(row.try_get("headers")?)?,
                body: row.try_get("body")?,
            })
        };
        rows.iter().map(read).collect()
    }

    /// A message is on its way.
    pub async fn published(&self, sequence: i64) -> Result<(), Error> {
        let text = "UPDATE outbox SET published_at = $1 WHERE sequence = $2";
        let query = sqlx::query(text).bind(at()).bind(sequence);
        self.database.change(text, query.execute(&self.database.pool)).await?;
        Ok(())
    }
}

fn json_of(row: &AnyRow, column: &str) -> Result<Value, Error> {
    Ok(serde_json::from_str(row.try_get(column)?)?)
}

fn event_of(row: &AnyRow) -> Result<Value, Error> {
    Ok(json!({
        "id": row.try_get::<String, _>("id")?,
        "type": row.try_get::<String, _>("kind")?,
        "node": row.try_get::<Option<String>, _>("node")?,
        "correlation_id": row.try_get::<String, _>("correlation_id")?,
        "causation_id": row.try_get::<Option<String>, _>("causation_id")?,
        "idempotency_key": row.try_get::<String, _>("idempotency_key")?,
        "trace_id": row.try_get::<String, _>("trace_id")?,
        "payload": json_of(row, "payload")?,
        "at": row.try_get::<i64, _>("at")?.to_string(),
    }))
}

fn decision_of(row: &AnyRow) -> Result<Value, Error> {
    Ok(json!({
        "id": row.try_get::<String, _>("id")?,
        "correlation_id": row.try_get::<String, _>("correlation_id")?,
        "trace_id": row.try_get::<String, _>("trace_id")?,
        "edge": row.try_get::<String, _>("edge")?,
        "rules": json_of(row, "rules")?,
        "decision": row.try_get::<String, _>("decision")?,
        "violated": json_of(row, "violated")?,
        "evaluation_time_ms": row.try_get::<i64, _>("evaluation_time_ms")?,
        "at": row.try_get::<i64, _>("at")?.to_string(),
    }))
}
